from typing import Any

class OutputProgram:
    keys: tuple[str, ...]
    def __init__(self, template: Any, *, base64: bool = False) -> None: ...
