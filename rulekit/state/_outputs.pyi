from typing import Any

BUFFER_STYLES: tuple[str, ...]

class OutputProgram:
    keys: tuple[str, ...]
    def __init__(self, template: Any, *, buffers: str = ...) -> None: ...
