"""Events as Python objects: a look at what lies in the loop, copied only as far as it is asked for."""

from libc.stdint cimport int64_t, uint16_t, uint64_t
from libc.string cimport memchr

from rulekit.engine._loop cimport EventLoop
from rulekit.native._event cimport EventView, Param, ParamInfo, param_i64, param_u64
from rulekit.state._outputs cimport OutputProgram

from rulekit.errors import RulekitError
from rulekit.schema.events import event_table, event_types

cdef enum Form:
    FORM_BYTES = 0
    FORM_SIGNED = 1
    FORM_UNSIGNED = 2
    FORM_TEXT = 3
    FORM_BOOL = 4

cdef unsigned char _forms[256]

_SIGNED = "INT8 INT16 INT32 INT64 ERRNO FD PID FD32 PID32"
_UNSIGNED = (
    "UINT8 UINT16 UINT32 UINT64 SYSCALLID SIGTYPE RELTIME ABSTIME PORT L4PROTO SOCKFAMILY FLAGS8"
    " FLAGS16 FLAGS32 ENUMFLAGS8 ENUMFLAGS16 ENUMFLAGS32 UID GID SIGSET MODE"
)


def _fill_forms():
    ids = dict(event_table()["param_types"])
    for i in range(256):
        _forms[i] = FORM_BYTES
    for form, names in ((FORM_SIGNED, _SIGNED), (FORM_UNSIGNED, _UNSIGNED), (FORM_BOOL, "BOOL"),
                        (FORM_TEXT, "CHARBUF FSPATH FSRELPATH")):
        for name in names.split():
            _forms[ids[f"PT_{name}"]] = form


_fill_forms()


cdef class Event:
    """An event of a source, converted to its current form; read-only.

    The attributes but `params` stay valid. `params` and fields (``event["proc.name"]``) speak of
    the state as it is at this event, so they can be read only until the next event is asked for;
    later they raise `RulekitError`. Not for several threads.

    Attributes:
        number: Among the delivered events, from 1; the field ``evt.num``.
        position: Among all event headers of the source, from 1.
        ts_ns: Since the Unix epoch (UTC).
        tid: Thread that caused the event.
        cpu: Number of the processor.
    """

    cdef EventLoop loop
    cdef object programs
    cdef uint64_t serial
    cdef uint16_t type_id
    cdef readonly uint64_t number
    cdef readonly uint64_t position
    cdef readonly uint64_t ts_ns
    cdef readonly int64_t tid
    cdef readonly int cpu

    def __init__(self):
        raise TypeError("events come from a source: iterate over rulekit.open_source(...)")

    @property
    def type(self):
        """Name of the kind of event, as ``evt.type`` but for calls without a kind of their own."""
        return self.declaration.name

    @property
    def declaration(self):
        """The `rulekit.schema.events.EventType`, with names and types of the params."""
        return event_types()[self.type_id]

    @property
    def is_current(self):
        """Whether fields and params can still be read."""
        return self.loop.serial == self.serial and self.loop.open_event

    @property
    def params(self):
        """Values of the params by name.

        Numbers as int, texts as str (what is no UTF-8 as surrogate escapes), everything else as the
        bytes of the capture; None where the event carries no value.
        """
        cdef EventView* ev = &self.loop.event
        cdef unsigned int i
        self._must_be_current()
        return {
            (<bytes> ev.info.params[i].name).decode(): _param(ev, i) for i in range(ev.nparams)
        }

    def __getitem__(self, name):
        """Return the value of a field: str, int, float, bool or a list; None for null.

        Raises:
            KeyError: There is no such field.
        """
        cdef OutputProgram program = self.programs.get(name)
        self._must_be_current()
        if program is None:
            program = self.programs[name]        # compiles it
        return program.fields(&self.loop.context)[program.keys[0]]

    def get(self, name, default=None):
        """Return the value of a field, or `default` where it is null."""
        value = self[name]
        return default if value is None else value

    def __repr__(self):
        return f"<Event {self.number} {self.type} tid={self.tid} ts_ns={self.ts_ns}>"

    cdef int _must_be_current(self) except -1:
        if self.loop.serial != self.serial or not self.loop.open_event:
            raise RulekitError(
                f"event {self.number} is gone: its fields can be read only until the next one is"
                " asked for"
            )
        return 0


cdef object _param(EventView* ev, unsigned int i):
    cdef Param* param = &ev.params[i]
    cdef unsigned char form = _forms[ev.info.params[i].type]
    cdef const void* nul
    cdef size_t length = param.len
    if length == 0:
        return None
    if form == FORM_TEXT:
        nul = memchr(param.ptr, 0, length)
        if nul != NULL:
            length = <size_t> (<const char*> nul - <const char*> param.ptr)
        return (<const char*> param.ptr)[:length].decode("utf-8", "surrogateescape")
    if form != FORM_BYTES and (length == 1 or length == 2 or length == 4 or length == 8):
        if form == FORM_SIGNED:
            return param_i64(ev, i, 0)
        if form == FORM_BOOL:
            return param_u64(ev, i, 0) != 0
        return param_u64(ev, i, 0)
    return (<const char*> param.ptr)[:length]


cdef class EventIterator:
    """Yields an `Event` per match of a loop.

    Args:
        programs: Mapping of field names to `OutputProgram`, which makes those that it lacks.
    """

    cdef EventLoop loop
    cdef object programs

    def __init__(self, EventLoop loop not None, object programs not None):
        self.loop = loop
        self.programs = programs

    def __iter__(self):
        return self

    def __next__(self):
        cdef Event event
        cdef EventLoop loop = self.loop
        while True:
            found = loop.next()
            if found is None:
                self.close()
                raise StopIteration
            if found:
                event = Event.__new__(Event)
                event.loop = loop
                event.programs = self.programs
                event.serial = loop.serial
                event.type_id = loop.event.type
                event.number = loop.event.num
                event.position = loop.event.raw
                event.ts_ns = loop.event.ts_ns
                event.tid = loop.event.tid
                event.cpu = loop.event.cpu
                return event

    def close(self):
        """Give back the source."""
        self.loop.close()
