# hot: every event passes here
"""Plans that turn outdated event forms into current ones.

The rules of ``tables/event_converter.json`` are steps, up to a dozen one after the other for one
event. Which steps apply depends on type and parameter count alone, so each chain is followed once,
at import, and becomes one plan: for each parameter of the final form, where its bytes come from.
"""

from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from rulekit.native._event cimport (
    EF_CREATES_FD, EF_DESTROYS_FD, EF_LARGE_PAYLOAD, EF_USES_FD, N_EVENT_TYPES, event_infos, n_event_types
)
from rulekit.state._fields_fd cimport nameless
from rulekit.state._state cimport ATTACH_ALWAYS, EventPlan
from rulekit.state._update cimport event_plans

from rulekit.capture.conversions import WIDTHS, follow
from rulekit.schema.events import event_table, load_table

cdef enum:
    NO_CUT = 0xffffffff
    GENERIC_X = 1
    CACHE_LINE = 64
    TYPE_DROP_E = 148
    TYPE_DROP_X = 149

cdef enum SourceKind:
    FROM_OLD = 0             # parameter `index` of the event in the file
    FROM_ENTER = 1           # parameter `index` of the remembered enter event
    FROM_STATIC = 2          # the fill bytes
    FROM_CALLBACK = 3        # JSON text made of an old container event

cdef enum Terminal:
    END_DELIVER = 0
    END_DROP = 1
    END_STORE = 2
    END_STORE_AND_PASS = 3
    END_NO_RULE = 4
    END_TOO_MANY = 5

cdef struct Plan:
    uint8_t terminal
    bint uses_enter
    bint in_order            # no parameter is moved: those before `n_same` stay, the others are new
    uint16_t enter_type      # what the remembered event must be
    uint16_t to
    uint32_t n
    uint32_t n_same          # leading parameters that stay as they are
    Source sources[MAX_PARAMS]

# More than enough for the threads of a machine inside a system call; each buffer that outgrows the
# entry counts towards the limit, beyond which all such buffers are given up together.
cdef uint64_t MAX_BIG_BYTES = 64 << 20

cdef uint8_t[16] ZEROS
cdef uint8_t[16] ONES
memset(ZEROS, 0, 16)
memset(ONES, 0xff, 16)

cdef uint8_t* _classes = NULL
cdef EventForm* _forms = NULL
cdef uint8_t* _shapes = NULL
cdef uint16_t* _plan_of = NULL       # index into _plans, parallel to _classes
cdef Plan* _plans = NULL


# --- compilation of the rules, once at import ---------------------------------------------------

_TERMINALS = {
    "deliver": END_DELIVER, "drop": END_DROP, "store": END_STORE,
    "store_and_pass": END_STORE_AND_PASS, "no_rule": END_NO_RULE, "too_many": END_TOO_MANY,
}
_KINDS = {"old": FROM_OLD, "enter": FROM_ENTER, "static": FROM_STATIC, "callback": FROM_CALLBACK}


cdef int _fill_plan(Plan* plan, str terminal, int to, list sources, object enter_type) except -1:
    cdef uint32_t i
    if len(sources) > MAX_PARAMS:
        raise ValueError(f"event type {to} has too many parameters")
    plan.terminal = _TERMINALS[terminal]
    plan.to = to
    plan.n = len(sources)
    plan.uses_enter = enter_type is not None
    plan.enter_type = 0 if enter_type is None else enter_type
    for i, (kind, index, fill, ones, cut) in enumerate(sources):
        plan.sources[i].kind = _KINDS[kind]
        plan.sources[i].index = index
        plan.sources[i].fill_len = fill
        plan.sources[i].ones = ones
        plan.sources[i].cut = NO_CUT if cut is None else cut
    while plan.n_same < plan.n and sources[plan.n_same] == ("old", plan.n_same, 0, False, None):
        plan.n_same += 1
    plan.in_order = all(s[0] != "old" and s[0] != "callback" for s in sources[plan.n_same:])
    return 0


cdef int _fill_forms(list events) except -1:
    """Choose the forms that are common and simple enough for the decoder's short way."""
    cdef int t, n, cell
    cdef EventForm* form
    cdef const Plan* plan
    for t in range(n_event_types):
        if _shapes[t] & TYPE_LARGE:
            continue
        for n in range(_shapes[t] + 1):
            cell = t * CLASS_COLUMNS + n
            form = &_forms[n * FORM_TYPES + t]
            if _classes[cell] == CLASS_DELIVER:
                form.path = PATH_DELIVER
            elif _classes[cell] == CLASS_DROP:
                form.path = PATH_DROP
                form.lengths = 1
            elif _classes[cell] == CLASS_PLAN:
                plan = &_plans[_plan_of[cell]]
                form.lengths = 1
                if plan.terminal == END_STORE and plan.n == plan.n_same and plan.to == t:
                    form.path = PATH_STORE
                    _fix_lengths(form, [p["type"].removeprefix("PT_") for p in events[t]["params"][:n]])
                elif plan.terminal == END_DELIVER:
                    form.path = PATH_JOIN if _joins(form, plan, t, n) else PATH_PLAN
            _see_if_quick(form, t, n)
    return 0


cdef void _see_if_quick(EventForm* form, int t, int n) noexcept:
    # Whether all that the state does at such an event is to remember that its thread did something. Of
    # no such call is the enter event shown, which would know the fd better: a test holds that.
    cdef const EventPlan* plan = &event_plans[t]
    cdef int fd = plan.fd_param
    cdef int i
    cdef int bits = QUICK
    if (form.path != PATH_DELIVER and form.path != PATH_JOIN) or n > 4:
        return
    if plan.run != NULL or plan.attach != ATTACH_ALWAYS or not plan.is_exit or plan.leads or not nameless[t]:
        return
    if 0 <= fd < n:
        bits |= QUICK_OWN_FD | fd
    elif fd == n and form.path == PATH_JOIN and form.n_joined == form.n_needed and form.cuts[0] >= 8:
        bits |= QUICK_JOINED_FD
    elif fd >= 0:
        return
    if plan.is_transfer:
        bits |= QUICK_TRANSFER
    if not event_infos[t].flags & (EF_CREATES_FD | EF_USES_FD | EF_DESTROYS_FD):
        bits |= QUICK_NO_NAME
    if t == GENERIC_X:
        if n == 0:
            return
        bits |= QUICK_CALL
    form.quick = <uint8_t> bits
    form.lengths = 0
    for i in range(n):
        form.mask |= <uint64_t> 0xFFFF << (16 * i)
        form.lengths |= <uint64_t> 0xC000 << (16 * i)


cdef int _fix_lengths(EventForm* form, list types) except -1:
    # Most enter events are a few numbers: one comparison tells that all have the usual lengths.
    cdef int i
    widths = [WIDTHS.get(name) for name in types]
    if len(widths) > 4 or None in widths:
        return 0
    form.lengths = 0
    for i in range(len(widths)):
        form.lengths |= <uint64_t> widths[i] << (16 * i)
        form.mask |= <uint64_t> 0xFFFF << (16 * i)
    form.n_bytes = sum(widths)
    return 0


cdef bint _joins(EventForm* form, const Plan* plan, int t, int n) noexcept:
    # Its own parameters stay, and some of the enter event, one after the other, follow.
    cdef uint32_t i
    cdef uint32_t first
    cdef uint32_t* cuts
    if not plan.uses_enter or not plan.in_order or plan.to != t or plan.n_same != <uint32_t> n or plan.n <= <uint32_t> n:
        return False
    first = plan.sources[n].index
    for i in range(n, plan.n):
        if plan.sources[i].kind != FROM_ENTER or plan.sources[i].index != first + i - n:
            return False
    if first > 1:
        return False
    form.n_joined = <uint8_t> (plan.n - n)
    form.n_needed = <uint8_t> (first + form.n_joined)
    form.enter_type = plan.enter_type
    cuts = <uint32_t*> calloc(form.n_joined, sizeof(uint32_t))
    if cuts == NULL:
        return False
    for i in range(form.n_joined):
        cuts[i] = plan.sources[n + i].cut
    form.cuts = cuts
    return True


cdef int _compile() except -1:
    global _classes, _forms, _shapes, _plan_of, _plans, event_classes, event_forms, type_shapes
    cdef list events = event_table()["events"]
    cdef dict table = load_table("event_converter")
    cdef dict rules = {(r["event"], r["nparams"]): r for r in table["rules"]}
    cdef list plans = []
    cdef int t, n, cell
    _classes = <uint8_t*> calloc(N_EVENT_TYPES, CLASS_COLUMNS)
    _forms = <EventForm*> calloc(FORM_COUNTS * FORM_TYPES, sizeof(EventForm))
    _shapes = <uint8_t*> calloc(N_EVENT_TYPES, 1)
    _plan_of = <uint16_t*> calloc(N_EVENT_TYPES * CLASS_COLUMNS, sizeof(uint16_t))
    if _classes == NULL or _forms == NULL or _shapes == NULL or _plan_of == NULL:
        raise MemoryError
    for t in range(n_event_types):
        _shapes[t] = event_infos[t].nparams
        if event_infos[t].flags & EF_LARGE_PAYLOAD:
            _shapes[t] |= TYPE_LARGE
        flags = events[t]["flags"]
        cell = t * CLASS_COLUMNS
        if "UNUSED" in flags:
            memset(&_classes[cell], CLASS_DROP, CLASS_COLUMNS)
            continue
        if "CONVERTER_MANAGED" not in flags:
            if "OLD_VERSION" in flags and events[t]["dir"] == ">":
                memset(&_classes[cell], CLASS_DROP, CLASS_COLUMNS)
            elif t == TYPE_DROP_E or t == TYPE_DROP_X:
                memset(&_classes[cell], CLASS_LOSS, CLASS_COLUMNS)
            continue             # zero is CLASS_DELIVER
        memset(&_classes[cell], CLASS_NO_RULE, CLASS_COLUMNS)
        if events[t]["dir"] == "<":
            n = event_infos[t].nparams
            if "OLD_VERSION" not in flags:
                _classes[cell + n] = CLASS_DELIVER
            memset(&_classes[cell + n + 1], CLASS_TOO_MANY, CLASS_COLUMNS - n - 1)
    for (t, n), rule in rules.items():
        cell = t * CLASS_COLUMNS + n
        # Exit events of the current form pass by the rules; none is written for them.
        if _classes[cell] != CLASS_NO_RULE:
            raise ValueError(f"rule for event type {t} with {n} parameters can never apply")
        if rule["action"] == "pass":
            _classes[cell] = CLASS_DELIVER
            continue
        _classes[cell] = CLASS_PLAN
        _plan_of[cell] = len(plans)
        plans.append(follow(t, n, events, rules, table["max_rounds"]))
    _plans = <Plan*> calloc(len(plans), sizeof(Plan))
    if _plans == NULL:
        raise MemoryError
    for n, (terminal, to, sources, enter_type) in enumerate(plans):
        _fill_plan(&_plans[n], terminal, to, sources, enter_type)
    _fill_forms(events)
    event_classes = _classes
    event_forms = _forms
    type_shapes = _shapes
    return 0


if sizeof(EventForm) != FORM_BYTES or FORM_TYPES != N_EVENT_TYPES:
    raise SystemError("FORM_TYPE_SHIFT and FORM_N_SHIFT do not fit EventForm")
_compile()


# --- remembered enter events --------------------------------------------------------------------

cdef Converter* converter_new() noexcept nogil:
    cdef Converter* c = <Converter*> calloc(1, sizeof(Converter))
    if c == NULL:
        return NULL
    c.enters_block = calloc(N_SETS * N_WAYS + 1, sizeof(Enter))
    if c.enters_block == NULL:
        converter_free(c)
        return NULL
    c.enters = <Enter*> ((<size_t> c.enters_block + CACHE_LINE - 1) & ~<size_t> (CACHE_LINE - 1))
    return c


cdef void converter_free(Converter* c) noexcept nogil:
    cdef uint32_t i
    if c == NULL:
        return
    if c.enters != NULL and c.big_bytes != 0:
        for i in range(N_SETS * N_WAYS):
            free(c.enters[i].big)
    free(c.enters_block)
    free(c.text)
    free(c)


cdef void converter_reset(Converter* c) noexcept nogil:
    cdef uint32_t i
    for i in range(N_SETS * N_WAYS):
        c.enters[i].stamp = 0


cdef inline Enter* _find(Converter* c, int64_t tid) noexcept nogil:
    """Return the enter event of a thread, or NULL."""
    cdef Enter* enter = &c.enters[<uint32_t> tid & (N_SETS - 1)]
    cdef uint32_t way
    for way in range(N_WAYS):
        if enter.tid == tid and enter.stamp:
            return enter
        enter += N_SETS
    return NULL


cdef Enter* enter_slot(Converter* c, int64_t tid) noexcept nogil:
    """Return the entry to store an enter event of a thread in, empty; the oldest of its set goes."""
    cdef Enter* enter = &c.enters[<uint32_t> tid & (N_SETS - 1)]
    cdef Enter* chosen = enter
    cdef uint32_t way
    for way in range(N_WAYS):
        if enter[way * N_SETS].tid == tid:
            enter[way * N_SETS].stamp = 0
            return &enter[way * N_SETS]
    for way in range(1, N_WAYS):
        if enter[way * N_SETS].stamp < chosen.stamp:
            chosen = &enter[way * N_SETS]
    if chosen.stamp:
        c.n_evicted += 1
        chosen.stamp = 0
    chosen.tid = tid
    return chosen


cdef void _give_up_big(Converter* c) noexcept nogil:
    cdef uint32_t i
    for i in range(N_SETS * N_WAYS):
        if c.enters[i].big != NULL:
            if c.enters[i].stamp and c.enters[i].size > ENTER_BYTES:
                c.n_evicted += 1
                c.enters[i].stamp = 0
            free(c.enters[i].big)
            c.enters[i].big = NULL
            c.enters[i].big_cap = 0
    c.big_bytes = 0


cdef uint8_t* enter_big(Converter* c, Enter* enter, uint32_t size) noexcept nogil:
    """Return room for a big image; the entry is empty until it is filled."""
    cdef uint8_t* grown
    enter.stamp = 0
    if size > enter.big_cap:
        if c.big_bytes + size > MAX_BIG_BYTES:
            _give_up_big(c)
        grown = <uint8_t*> realloc(enter.big, size)
        if grown == NULL:
            c.n_evicted += 1
            return NULL
        c.big_bytes += size - enter.big_cap
        enter.big = grown
        enter.big_cap = size
    return enter.big


cdef void _store(Converter* c, const EventView* ev, uint32_t n) noexcept nogil:
    """Remember an enter event that is not as it lies in the file."""
    cdef Enter* enter = enter_slot(c, ev.tid)
    cdef uint8_t* target = enter.small
    cdef uint16_t length
    cdef uint32_t size = 2 * n
    cdef uint32_t i
    for i in range(n):
        size += ev.params[i].len
    if size > ENTER_BYTES:
        target = enter_big(c, enter, size)
        if target == NULL:
            return
    c.stores += 1
    enter.stamp = c.stores
    enter.type = ev.type
    enter.n = <uint16_t> n
    enter.size = size
    for i in range(n):
        length = <uint16_t> ev.params[i].len
        memcpy(target + 2 * i, &length, 2)
    target += 2 * n
    for i in range(n):
        if ev.params[i].len:
            memcpy(target, ev.params[i].ptr, ev.params[i].len)
            target += ev.params[i].len


# --- conversion of one event --------------------------------------------------------------------

cdef uint64_t _json_text(uint8_t* out, const uint8_t* text, uint32_t length) noexcept nogil:
    """Write a quoted JSON string of a text cut at its first NUL; at most 6 * length + 2 bytes."""
    cdef const char* digits = b"0123456789abcdef"
    cdef uint64_t at = 1
    cdef uint32_t i
    cdef uint8_t byte
    out[0] = c'"'
    for i in range(length):
        byte = text[i]
        if byte == 0:
            break
        if byte == c'"' or byte == c'\\':
            out[at] = c'\\'
            out[at + 1] = byte
            at += 2
        elif byte < 0x20:
            memcpy(out + at, b"\\u00", 4)
            out[at + 4] = digits[byte >> 4]
            out[at + 5] = digits[byte & 15]
            at += 6
        else:
            out[at] = byte
            at += 1
    out[at] = c'"'
    return at + 1


cdef uint64_t _json_key(uint8_t* out, const char* text, uint32_t length) noexcept nogil:
    memcpy(out, text, length)
    return length


cdef void _container_json(Converter* c, const EventView* ev, uint32_t n,
                          const uint8_t** ptr, uint32_t* length) noexcept nogil:
    """Make the JSON text of an old container event (id, type, name, image), NUL included."""
    cdef uint64_t room = 128
    cdef uint64_t at = 0
    cdef uint32_t i
    cdef uint32_t kind = 0
    cdef uint8_t[10] digits
    cdef uint8_t* grown
    ptr[0] = ZEROS
    length[0] = 0
    if n < 4:
        return
    for i in range(4):
        room += 6 * <uint64_t> ev.params[i].len
    if room > c.text_cap:
        grown = <uint8_t*> realloc(c.text, room)
        if grown == NULL:
            return
        c.text = grown
        c.text_cap = room
    memcpy(&kind, ev.params[1].ptr, min(ev.params[1].len, <uint32_t> 4))
    at += _json_key(c.text + at, b'{"id":', 6)
    at += _json_text(c.text + at, ev.params[0].ptr, ev.params[0].len)
    at += _json_key(c.text + at, b',"type":', 8)
    i = 10
    while True:
        i -= 1
        digits[i] = c'0' + kind % 10
        kind //= 10
        if kind == 0:
            break
    memcpy(c.text + at, &digits[i], 10 - i)
    at += 10 - i
    at += _json_key(c.text + at, b',"name":', 8)
    at += _json_text(c.text + at, ev.params[2].ptr, ev.params[2].len)
    at += _json_key(c.text + at, b',"image":', 9)
    at += _json_text(c.text + at, ev.params[3].ptr, ev.params[3].len)
    c.text[at] = c'}'
    c.text[at + 1] = 0
    ptr[0] = c.text
    length[0] = <uint32_t> (at + 2)


cdef int convert(Converter* c, EventView* ev, uint32_t n) noexcept nogil:
    cdef uint32_t cell = ev.type * CLASS_COLUMNS + min(n, <uint32_t> CLASS_COLUMNS - 1)
    cdef const Plan* plan = &_plans[_plan_of[cell]]
    cdef const Source* source
    cdef Enter* enter = NULL
    cdef const uint8_t* lengths = NULL   # of the enter event's parameters
    cdef const uint8_t* entered = NULL   # its parameter number `at`
    cdef uint32_t at = 0
    cdef EventView moved
    cdef const EventView* old = ev
    cdef uint32_t i
    cdef uint16_t length
    if plan.terminal == END_DROP:
        return CONVERT_SKIP
    if plan.terminal == END_NO_RULE or plan.terminal == END_TOO_MANY:
        ev.type = plan.to
        return CONVERT_NO_RULE if plan.terminal == END_NO_RULE else CONVERT_TOO_MANY
    if plan.uses_enter:
        enter = _find(c, ev.tid)
        if enter != NULL:
            # Forgotten either way: the exit of a mismatched one was lost.
            enter.stamp = 0
            if enter.type == plan.enter_type:
                lengths = enter.big if enter.size > ENTER_BYTES else enter.small
                entered = lengths + 2 * enter.n
            else:
                c.n_mismatched += 1
                enter = NULL
    if not plan.in_order:
        memcpy(moved.params, ev.params, n * sizeof(ev.params[0]))
        old = &moved
    for i in range(plan.n_same, plan.n):
        source = &plan.sources[i]
        if source.kind == FROM_OLD:
            ev.params[i].ptr = old.params[source.index].ptr
            ev.params[i].len = min(old.params[source.index].len, source.cut)
        elif source.kind == FROM_ENTER and enter != NULL and source.index < enter.n:
            if at > source.index:
                at = 0
                entered = lengths + 2 * enter.n
            memcpy(&length, lengths + 2 * at, 2)
            while at < source.index:
                entered += length
                at += 1
                memcpy(&length, lengths + 2 * at, 2)
            ev.params[i].ptr = entered
            ev.params[i].len = min(<uint32_t> length, source.cut)
        elif source.kind == FROM_CALLBACK:
            _container_json(c, old, n, &ev.params[i].ptr, &ev.params[i].len)
        else:
            ev.params[i].ptr = &ONES[0] if source.ones else &ZEROS[0]
            ev.params[i].len = source.fill_len
    ev.type = plan.to
    ev.nparams = plan.n
    ev.info = &event_infos[plan.to]
    if plan.terminal == END_STORE or plan.terminal == END_STORE_AND_PASS:
        _store(c, ev, plan.n)
        if plan.terminal == END_STORE:
            return CONVERT_SKIP
    return CONVERT_DELIVER


def plan_of(int type_id, int n):
    """Describe what becomes of a form, for tests and debugging.

    Returns:
        "deliver", "drop", "no_rule" or "too_many" for forms that need no plan; else (terminal,
        final type, sources as tuples (kind, index, fill length, cut or None), enter type or None).
    """
    if not 0 <= type_id < n_event_types or n < 0:
        raise ValueError(f"no such event type: {type_id}")
    cdef int cell = type_id * CLASS_COLUMNS + min(n, CLASS_COLUMNS - 1)
    cdef int kind = _classes[cell]
    cdef const Plan* plan
    cdef uint32_t i
    if kind != CLASS_PLAN:
        return {CLASS_DELIVER: "deliver", CLASS_LOSS: "deliver", CLASS_DROP: "drop",
                CLASS_NO_RULE: "no_rule", CLASS_TOO_MANY: "too_many"}[kind]
    plan = &_plans[_plan_of[cell]]
    terminal = {v: k for k, v in _TERMINALS.items()}[plan.terminal]
    kinds = {v: k for k, v in _KINDS.items()}
    sources = []
    for i in range(plan.n):
        cut = plan.sources[i].cut
        sources.append((kinds[plan.sources[i].kind], plan.sources[i].index,
                        plan.sources[i].fill_len, None if cut == NO_CUT else cut))
    return terminal, plan.to, sources, plan.enter_type if plan.uses_enter else None
