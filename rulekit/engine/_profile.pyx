"""Where the time of a run goes: the evaluator with a clock around everything that can be measured."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from rulekit._fastmatch cimport (
    GENERIC_BASE, H_DIRECT, H_PROCESS_BIT, H_PROCESS_TEXT, H_TEXT, NONE, N_AND, N_DOMAINS, N_NOT, N_OR,
    N_PREDICATE, N_SLOTS, N_TRUE, OF_COMPARISON, OF_FIELD, OF_GATE, OF_KEY, OF_PROCESS, OF_RULE, OF_TEXT, OF_WORDS,
    O_CALL, O_FIELD, O_LITERAL, S_ARGUMENTS, S_CAP_EFFECTIVE, S_CAP_INHERITABLE, S_CAP_PERMITTED,
    S_ENVIRONMENT, Matcher, MatcherC, Node, Observed, Operand, Predicate, RuleClass, new_generation, slot_of,
)
from rulekit.engine._loop cimport STOP_DATA, STOP_END, STOP_MATCH, STOP_PAUSE, EventLoop

import time

cdef extern from *:
    """
    #include <stdint.h>
    #include <time.h>
    /* A counter that is read in a few nanoseconds; its rate is measured. */
    static inline uint64_t rk_ticks(void) {
    #if defined(__x86_64__) || defined(__i386__)
        return __builtin_ia32_rdtsc();
    #elif defined(__aarch64__)
        uint64_t ticks;
        __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
        return ticks;
    #else
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
    #endif
    }
    """
    uint64_t rk_ticks() noexcept nogil

cdef enum:
    OF_READ = 32             # getting bytes of the source
    OF_DECODE = 33           # decoding events and updating the state
    OF_EVENT = 34            # matching an event (slot)
    MAX_FRAMES = 1 << 20     # more are counted with their parents
    MAX_STACK = 512
    _LONGEST_NS = 200000

_NAMES = {
    OF_READ: "read", OF_DECODE: "decode", OF_EVENT: "event", OF_PROCESS: "process", OF_KEY: "key",
    OF_TEXT: "text", OF_WORDS: "words", OF_GATE: "gate", OF_RULE: "rule",
    OF_COMPARISON: "comparison", OF_FIELD: "field",
}

cdef struct Frame:           # a place on the stack of calls, from the outermost on
    uint8_t what
    uint32_t number
    uint32_t parent
    uint64_t calls
    uint64_t held            # calls that answered true
    uint64_t ticks           # with everything below

cdef struct Observer:
    Frame* frames            # owned; 0 is the root
    uint32_t n
    uint32_t size
    uint32_t* table          # owned; frames by parent, what and number; 0: free
    uint32_t mask
    uint32_t top
    uint32_t depth
    uint32_t lost            # depth below a frame for which there was no room
    uint64_t seen            # last reading of the clock, without `stolen`
    uint64_t longest         # between two readings; what is more was taken by other processes,
    uint64_t stolen          #   and is taken off
    bint steals              # this applies to the next reading
    uint64_t started[MAX_STACK]


cdef uint32_t _place(const Observer* o, uint32_t parent, uint32_t what, uint32_t number) noexcept nogil:
    cdef uint64_t h = (<uint64_t> parent << 32 | number) * 0x9E3779B97F4A7C15ULL
    cdef uint32_t i = <uint32_t> ((h ^ h >> 29) + what * 0x85EBCA6BULL) & o.mask
    cdef const Frame* frame
    while o.table[i]:
        frame = &o.frames[o.table[i]]
        if frame.parent == parent and frame.number == number and frame.what == what:
            break
        i = (i + 1) & o.mask
    return i


cdef bint _grow(Observer* o) noexcept nogil:
    cdef uint32_t i, size = 2 * o.size
    cdef Frame* frames
    cdef uint32_t* table
    if o.n >= MAX_FRAMES:
        return False
    frames = <Frame*> realloc(o.frames, size * sizeof(Frame))
    if frames == NULL:
        return False
    o.frames = frames
    table = <uint32_t*> calloc(4 * size, sizeof(uint32_t))
    if table == NULL:
        return False
    free(o.table)
    o.table = table
    o.size = size
    o.mask = 4 * size - 1
    for i in range(1, o.n):
        table[_place(o, frames[i].parent, frames[i].what, frames[i].number)] = i
    return True


cdef inline uint64_t _clock(Observer* o) noexcept nogil:
    # Matching has no step that takes this long: another process had the processor.
    cdef uint64_t now = rk_ticks() - o.stolen
    if now - o.seen > o.longest and o.steals:
        o.stolen += now - o.seen
        return o.seen
    o.steals = True
    o.seen = now
    return now


cdef inline void begin(Observer* o, uint32_t what, uint32_t number) noexcept nogil:
    _begin(o, what, number, _clock(o))


cdef inline void end(Observer* o, bint answer) noexcept nogil:
    _end(o, answer, _clock(o))


cdef inline void _begin(Observer* o, uint32_t what, uint32_t number, uint64_t now) noexcept nogil:
    cdef uint32_t place, frame = 0
    if not o.lost and o.depth < MAX_STACK:
        place = _place(o, o.top, what, number)
        frame = o.table[place]
        if frame == 0 and (o.n < o.size or _grow(o)):
            place = _place(o, o.top, what, number)
            frame = o.table[place] = o.n
            memset(&o.frames[frame], 0, sizeof(Frame))
            o.frames[frame].what = what
            o.frames[frame].number = number
            o.frames[frame].parent = o.top
            o.n += 1
    if frame == 0:
        o.lost += 1
        return
    o.top = frame
    o.started[o.depth] = now
    o.depth += 1


cdef inline void _end(Observer* o, bint answer, uint64_t now) noexcept nogil:
    cdef Frame* frame
    if o.lost:
        o.lost -= 1
        return
    frame = &o.frames[o.top]
    o.depth -= 1
    frame.ticks += now - o.started[o.depth]
    frame.calls += 1
    frame.held += answer
    o.top = frame.parent


cdef inline void enter(MatcherC* m, Observed what, uint32_t number) noexcept nogil:
    begin(<Observer*> m.observer, what, number)


cdef inline void leave(MatcherC* m, bint answer) noexcept nogil:
    end(<Observer*> m.observer, answer)


# The profile instance of the evaluator.
include "../_evaluate.pxi"


cdef inline int _match_event(MatcherC* m, Context* ctx, uint32_t* out, int cap) noexcept nogil:
    # As match_event of the fast instance.
    cdef uint32_t number = m.slots[slot_of(ctx)]
    m.stats.events += 1
    if number == 0:
        return 0
    m.stats.gated += 1
    return match_gated(m, ctx, number - 1, out, cap)


cdef int _new_observer(Observer* o) except -1:
    memset(o, 0, sizeof(Observer))
    o.size = 1024
    o.mask = 4 * o.size - 1
    o.n = 1
    o.frames = <Frame*> calloc(o.size, sizeof(Frame))
    o.table = <uint32_t*> calloc(4 * o.size, sizeof(uint32_t))
    if o.frames == NULL or o.table == NULL:
        raise MemoryError
    return 0


cdef void _free_observer(Observer* o) noexcept nogil:
    free(o.frames)
    free(o.table)
    o.frames = NULL
    o.table = NULL


cdef class Profiler:
    """Runs a program over the events of loops and measures; one at a time.

    Args:
        program: The program.
        first_match: Stop at the first rule that matches, as `Matcher`.

    Attributes:
        matches: Per rule, the events that it matched.
    """

    cdef readonly Matcher matcher
    cdef readonly list matches
    cdef Observer observer
    cdef uint64_t ticks_per_ms
    cdef uint64_t ticks
    cdef uint64_t elapsed_ns
    cdef uint64_t read_ns    # of the processor: most of the time of reading is waiting

    def __cinit__(self, program, *, bint first_match=False):
        self.matcher = Matcher(program, first_match=first_match)
        self.matches = [0] * self.matcher.n_rules
        self.ticks_per_ms = _ticks_per_ms()
        _new_observer(&self.observer)
        self.matcher.c.observer = &self.observer

    def __dealloc__(self):
        _free_observer(&self.observer)

    def run(self, EventLoop loop not None):
        """Run to the end of the source, or to the next pause; return whether it was the end.

        Args:
            loop: Made without a matcher, so that it stops at every event.

        Raises:
            SourceError: The source is damaged here; everything before it was measured.
        """
        cdef uint64_t begun = rk_ticks()
        cdef object begun_ns = time.perf_counter_ns()
        if loop.matcher is not None:
            raise ValueError("a loop that stops at every event has no matcher")
        self.observer.longest = _LONGEST_NS * self.ticks_per_ms // 1000000
        self.observer.seen = rk_ticks() - self.observer.stolen
        try:
            return self._run(loop)
        finally:
            # After an error some frames are still open.
            while self.observer.depth or self.observer.lost:
                end(&self.observer, False)
            self.ticks += rk_ticks() - begun
            self.elapsed_ns += time.perf_counter_ns() - begun_ns

    cdef bint _run(self, EventLoop loop) except -1:
        cdef Observer* o = &self.observer
        cdef uint32_t hits[64]
        cdef uint32_t* room = hits
        cdef int stop = 0, n = 0, k, cap = <int> max(self.matcher.n_rules, 1)
        cdef uint64_t now
        cdef bint first = loop.n_events == 0     # then the state at the start is read
        o.depth = 0
        if cap > 64:
            room = <uint32_t*> calloc(cap, sizeof(uint32_t))
            if room == NULL:
                raise MemoryError
        try:
            while True:
                with nogil:
                    while True:
                        now = _clock(o)
                        if o.depth:
                            _end(o, n > 0, now)
                        if n:
                            break
                        _begin(o, OF_DECODE, NONE, now)
                        o.steals = not first
                        first = False
                        stop = loop.advance()
                        now = _clock(o)
                        _end(o, stop == STOP_MATCH, now)
                        if stop != STOP_MATCH:
                            break
                        _begin(o, OF_EVENT, slot_of(&loop.context), now)
                        n = _match_event(self.matcher.c, &loop.context, room, cap)
                if n:
                    for k in range(n):
                        self.matches[room[k]] += 1
                    n = 0
                elif stop == STOP_DATA:
                    begin(o, OF_READ, NONE)
                    begun = time.thread_time_ns()
                    loop.reader.refill()
                    self.read_ns += time.thread_time_ns() - begun
                    o.steals = False
                    end(o, True)
                elif stop == STOP_END:
                    return True
                elif stop == STOP_PAUSE:
                    return False
                else:
                    raise loop.reader.error()
        finally:
            if room != hits:
                free(room)

    def frames(self):
        """Return what was measured, parents before children.

        Returns:
            A list of ``(what, number, parent, calls, held, total_ns)``. `what` is ``read``,
            ``decode``, ``event`` (number: slot), ``process``, ``key`` (operand), ``field``
            (operand), ``text`` (domain), ``words``, ``gate`` (node), ``rule``, ``comparison`` (predicate); `parent` is
            a position in the list, -1 for the outermost; `held` counts the calls that answered
            true; `total_ns` is with everything below, the clock's own time taken off.
        """
        cdef Observer* o = &self.observer
        cdef uint32_t i
        cdef Frame* frame
        inner, outer = _cost_of_measuring()
        rate = <double> self.elapsed_ns / <double> self.ticks if self.ticks else 0.0
        # What the clock took inside of a frame: its own share, and all of its children's.
        taken = [0.0] * o.n
        for i in range(o.n - 1, 0, -1):
            frame = &o.frames[i]
            taken[i] += frame.calls * inner
            taken[frame.parent] += taken[i] + frame.calls * outer
        found = []
        for i in range(1, o.n):
            frame = &o.frames[i]
            found.append((
                _NAMES[frame.what],
                frame.number,
                <int64_t> frame.parent - 1,
                frame.calls,
                frame.held,
                <double> self.read_ns if frame.what == OF_READ
                else max(0.0, (<double> frame.ticks - taken[i]) * rate),
            ))
        return found


cdef uint64_t _ticks_per_ms():
    cdef uint64_t begun = rk_ticks()
    cdef object begun_ns = time.perf_counter_ns(), passed = 0
    while passed < 1000000:
        passed = time.perf_counter_ns() - begun_ns
    return (rk_ticks() - begun) * 1000000 // passed


cdef object _cost_of_measuring():
    # Ticks that an empty frame shows for itself, and those that it adds to its parent.
    cdef Observer o
    cdef uint32_t i, rounds
    _new_observer(&o)
    try:
        best = None
        o.longest = 1 << 62
        for rounds in range(50):
            o.n = 1
            memset(o.table, 0, 4 * o.size * sizeof(uint32_t))
            begin(&o, OF_EVENT, 0)
            for i in range(1000):
                begin(&o, OF_RULE, i & 15)
                end(&o, True)
            end(&o, True)
            inside = sum(o.frames[i].ticks for i in range(2, o.n))
            found = (inside / 1000.0, (o.frames[1].ticks - inside) / 1000.0)
            best = found if best is None else min(best, found, key=sum)
        return best
    finally:
        _free_observer(&o)
