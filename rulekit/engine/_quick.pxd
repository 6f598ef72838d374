# Events that only their thread notices: calls that ended, that do nothing to the state by their type,
# and of which what is kept already says that no rule holds. They are dealt with where they lie: no
# view is made of them, and no context.
#
# Everything here is what decoder_event, state_event, match_event and state_event_done do together with
# such an event; whenever that would be more, False is returned, with nothing done.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from rulekit._fastmatch cimport GENERIC_BASE, N_SLOTS, MatcherC, none_holds_of
from rulekit.capture._blocks cimport (
    NEXT_EVENT, Decoder, Head, decoder_enter, decoder_event, decoder_head, decoder_next_any, get_u16, get_u64,
    head_type, is_enter,
)
from rulekit.capture._convert cimport (
    PATH_JOIN, QUICK_CALL, QUICK_FD_INDEX, QUICK_JOINED_FD, QUICK_NO_NAME, QUICK_OWN_FD, QUICK_TRANSFER, Enter,
    enter_joins, enter_at,
)
from rulekit.native._event cimport EventView
from rulekit.native._strings cimport Str
from rulekit.state._params cimport look_up_fd
from rulekit.state._state cimport FDF_CONNECTED, FD_IPV4_SOCK, FD_IPV6_SOCK, Fd, State, Thread
from rulekit.state._threads cimport find_thread

cdef enum:
    ALL_QUICK = 255

cdef extern from *:
    """
    /* Times four lengths of 16 bits: each becomes the sum of itself and those before it. */
    #define RK_SUMS 0x0001000100010001ULL
    """
    const uint64_t SUMS "RK_SUMS"


cdef inline bint quick_event(Decoder* d, State* state, MatcherC* m, const Head* h, EventView* ev) noexcept nogil:
    cdef uint32_t quick = h.form.quick
    cdef uint64_t lengths = get_u64(h.lengths) & h.form.mask
    cdef uint64_t sums = lengths * SUMS
    cdef int64_t tid = <int64_t> get_u64(h.event + 8)
    cdef int64_t num = -1
    cdef uint32_t slot = head_type(h)
    cdef uint32_t number, shift
    cdef Thread* thread
    cdef Enter* enter = NULL
    cdef Fd* fd = NULL
    if lengths & h.form.lengths or h.params + (sums >> 48) > h.end or h.flagged:
        return False
    thread = find_thread(state, tid)
    # An enter event is kept for the exit; of calls with a short way none is shown, see _see_if_quick.
    if thread == NULL or thread.enter_type != -1:
        return False
    if h.form.path == PATH_JOIN:
        enter = enter_at(d.converter, tid)
        if not enter_joins(enter, tid, h.form):
            return False
    if quick & (QUICK_OWN_FD | QUICK_JOINED_FD):
        if quick & QUICK_JOINED_FD:
            if get_u16(enter.small) != 8:
                return False
            num = <int64_t> get_u64(enter.small + 2 * enter.n)
        else:
            shift = 16 * (quick & QUICK_FD_INDEX)
            if lengths >> shift & 0xFFFF != 8:
                return False
            num = <int64_t> get_u64(h.params + (sums << 16 >> shift & 0xFFFF))
        fd = look_up_fd(state, thread, num)
        # A first transfer is told, see state_event.
        if (quick & QUICK_TRANSFER and fd != NULL and (fd.type == FD_IPV4_SOCK or fd.type == FD_IPV6_SOCK)
                and not fd.flags & FDF_CONNECTED):
            return False
    elif quick & QUICK_CALL:
        # As slot_of.
        if lengths & 0xFFFF != 2:
            return False
        slot = get_u16(h.params)
        slot = GENERIC_BASE + slot if 0 < slot < N_SLOTS - GENERIC_BASE else 1
    number = m.slots[slot]
    if number != 0:
        number -= 1
        if not none_holds_of(m, state, thread, NULL, quick & QUICK_NO_NAME != 0,
                             fd.name if fd != NULL else state.strings.empty, &m.classes[number], number):
            return False
        m.stats.gated += 1
    m.stats.events += 1
    d.n_headers += 1
    d.n_delivered += 1
    d.pos = h.next
    if enter != NULL:
        enter.stamp = 0
    thread.last_event_fd = num
    thread.last_event_ts = get_u64(h.event)
    # What is asked of an event that is not shown; its cpu is not.
    ev.ts_ns = thread.last_event_ts
    ev.tid = tid
    ev.raw = d.n_headers
    ev.num = d.n_delivered
    return True


# As decoder_next, past events that need no more. By their number `n_quick` is raised. A `wanted` of 0
# lets none pass, and `m` may be NULL; otherwise it is ALL_QUICK.
cdef inline int next_asked(Decoder* d, State* state, MatcherC* m, uint8_t wanted, EventView* ev,
                           uint64_t* n_quick) noexcept nogil:
    cdef Head head
    while decoder_head(d, &head):
        if is_enter(&head):
            if not decoder_enter(d, &head):
                break
        elif head.form.quick & wanted and not state.attention and quick_event(d, state, m, &head, ev):
            n_quick[0] += 1
        elif decoder_event(d, &head, ev):
            return NEXT_EVENT
        else:
            break
    return decoder_next_any(d, state, ev)
