# Conversion of outdated event forms to the current ones, without rebuilding events: the parameters
# of the EventView are pointed at what they come from.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from rulekit.native._event cimport EventView, MAX_PARAMS, lay_cut_params

cdef enum:
    CLASS_COLUMNS = MAX_PARAMS + 2   # parameter counts 0..32, and everything above in the last one
    FORM_COUNTS = 64                 # parameter counts that nothing has are PATH_LONG
    FORM_TYPES = 512                 # N_EVENT_TYPES, a power of two
    FORM_BYTES = 32                  # of an EventForm
    FORM_TYPE_SHIFT = 11             # 16 - log2(FORM_BYTES): from a type in the upper half of 32 bits to bytes
    FORM_N_SHIFT = 14                # log2(FORM_TYPES * FORM_BYTES): the same from a number of parameters
    TYPE_LARGE = 128                 # bit of type_shapes: parameter lengths have 32 bits

cdef enum EventClass:
    CLASS_DELIVER = 0     # current form: nothing to do
    CLASS_DROP = 1        # never delivered
    CLASS_PLAN = 2        # convert() knows what to do
    CLASS_LOSS = 3        # a drop record: deliver and count
    CLASS_NO_RULE = 4     # an outdated form that nobody can convert
    CLASS_TOO_MANY = 5    # an exit event with more parameters than the table has

cdef enum ConvertResult:
    CONVERT_DELIVER = 0
    CONVERT_SKIP = 1
    CONVERT_NO_RULE = 2
    CONVERT_TOO_MANY = 3

cdef enum:
    N_SETS = 8192            # of remembered enter events; power of two
    N_WAYS = 4
    ENTER_BYTES = 88         # kept inside the entry
    ENTER_USUAL = 32         # as much as most have

cdef enum EventPath:         # what the decoder's short way does with a form of event
    PATH_LONG = 0            # nothing: decoder_next_any looks at everything
    PATH_DELIVER = 1
    PATH_PLAN = 2            # convert()
    PATH_JOIN = 3            # parameters of the enter event follow its own, see EventForm
    PATH_DROP = 4
    PATH_STORE = 5           # kept as it is, for the exit event

cdef struct Source:
    uint8_t kind
    uint8_t index
    bint ones                # fill bytes are FF instead of 0
    uint32_t fill_len        # of FROM_STATIC, and of FROM_ENTER without an enter event
    uint32_t cut             # widest value of the target type

cdef enum Quick:             # what is to be known of an event that only its thread notices
    QUICK_FD_INDEX = 3       # mask: which of its own parameters is the fd
    QUICK = 4                # it is one: a call that ended, and that does nothing to the state by its type
    QUICK_OWN_FD = 8
    QUICK_JOINED_FD = 16     # the first parameter that follows from the enter event is its fd
    QUICK_TRANSFER = 32      # EventPlan.is_transfer
    QUICK_NO_NAME = 64       # it has no fd.name, whatever its fd
    QUICK_CALL = 128         # its first parameter says which call it is

cdef struct EventForm:       # of an event type with a number of parameters
    uint8_t path             # EventPath
    uint8_t quick            # Quick bits, or 0; at most four parameters of its own
    uint8_t n_joined         # PATH_JOIN: so many of the enter event's, up to `n_needed`, follow
    uint8_t n_needed         # n_joined, or 1 more: the first one is left out
    uint16_t enter_type
    uint16_t n_bytes         # PATH_STORE: all parameters together, when their lengths are `lengths`
    uint64_t mask            # PATH_STORE: of the lengths in the file, as one number; 0, and `lengths` 1: they vary
                             # quick: the same; and `lengths` are bits that only huge lengths have
    uint64_t lengths
    const uint32_t* cuts     # PATH_JOIN: the widest that each of the parameters that follow may be

cdef struct Enter:           # the remembered enter event of a thread
    int64_t tid
    uint64_t stamp           # time of its storing, in stores: the oldest of a set is evicted; 0: nothing stored
    uint16_t type
    uint16_t n
    uint32_t size            # of the image: n lengths of 16 bits, then the parameters back to back
    uint8_t small[ENTER_BYTES]   # the image, if it fits; its usual part shares a cache line with the above
    uint8_t* big             # owned; the image otherwise
    uint32_t big_cap

cdef struct Converter:
    Enter* enters            # [way][set]: the first ways lie together, each at the start of a cache line
    void* enters_block       # owned; where `enters` lies
    uint64_t stores
    uint64_t big_bytes       # held by all `big` together
    uint64_t n_evicted       # enter events forgotten for want of room
    uint64_t n_mismatched    # enter events that were not the one of the exit that asked
    uint8_t* text            # owned; JSON of an old container event
    uint64_t text_cap

cdef const uint8_t* event_classes    # EventClass of [type * CLASS_COLUMNS + parameter count]
cdef const EventForm* event_forms    # of [parameter count * FORM_TYPES + type]
cdef const uint8_t* type_shapes      # parameter count of the table | TYPE_LARGE, by type

cdef Converter* converter_new() noexcept nogil      # NULL: no memory
cdef void converter_free(Converter* c) noexcept nogil
cdef void converter_reset(Converter* c) noexcept nogil
# Apply the plan of (ev.type, n) to an event of class CLASS_PLAN; n is the count in the file. Pointers
# that it puts into `ev` are valid until the next call.
cdef int convert(Converter* c, EventView* ev, uint32_t n) noexcept nogil   # ConvertResult
cdef Enter* enter_slot(Converter* c, int64_t tid) noexcept nogil     # where to store, evicting if need be
cdef uint8_t* enter_big(Converter* c, Enter* enter, uint32_t size) noexcept nogil   # NULL: no room


# Where the enter event of a thread mostly is.
cdef inline Enter* enter_at(Converter* c, int64_t tid) noexcept nogil:
    return &c.enters[<uint32_t> tid & (N_SETS - 1)]


# Remember an enter event as it lies in the file: `image` is its lengths and parameters, `size` bytes,
# copied, for the window moves on; ENTER_BYTES may be read from there whatever the size.
cdef inline void enter_keep(Converter* c, int64_t tid, uint16_t type, uint32_t n, const uint8_t* image,
                            uint32_t size) noexcept nogil:
    cdef Enter* enter = enter_at(c, tid)
    cdef uint8_t* target
    if enter.tid != tid:
        enter = enter_slot(c, tid)
    # Of fixed sizes: a few moves, no call.
    memcpy(enter.small, image, ENTER_USUAL)
    if size > ENTER_USUAL:
        if size <= ENTER_BYTES:
            memcpy(enter.small + ENTER_USUAL, image + ENTER_USUAL, ENTER_BYTES - ENTER_USUAL)
        else:
            target = enter_big(c, enter, size)
            if target == NULL:
                return
            memcpy(target, image, size)
    c.stores += 1
    enter.stamp = c.stores
    enter.type = type
    enter.n = <uint16_t> n
    enter.size = size


# Whether that is what an event of PATH_JOIN waits for.
cdef inline bint enter_joins(const Enter* enter, int64_t tid, const EventForm* form) noexcept nogil:
    return (enter.tid == tid and enter.stamp != 0 and enter.type == form.enter_type and enter.n >= form.n_needed
            and enter.size <= ENTER_BYTES)


# What convert() does with an event of PATH_JOIN, when the enter event of its thread is what it should
# be; False leaves the event to convert().
cdef inline bint enter_join(Converter* c, EventView* ev, const EventForm* form, uint32_t n) noexcept nogil:
    cdef Enter* enter = enter_at(c, ev.tid)
    cdef const uint8_t* lengths
    cdef const uint8_t* at
    cdef uint16_t length
    if not enter_joins(enter, ev.tid, form):
        return False
    enter.stamp = 0
    lengths = enter.small
    at = lengths + 2 * enter.n
    if form.n_joined != form.n_needed:
        memcpy(&length, lengths, 2)
        at += length
        lengths += 2
    lay_cut_params(&ev.params[n], lengths, at, form.n_joined, form.cuts)
    ev.nparams = n + form.n_joined
    return True
