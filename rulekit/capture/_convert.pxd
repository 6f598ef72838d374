# Conversion of outdated event forms to the current ones, without rebuilding events: the parameters
# of the EventView are pointed at what they come from.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from rulekit.native._event cimport EventView, MAX_PARAMS

cdef enum:
    CLASS_COLUMNS = MAX_PARAMS + 2   # parameter counts 0..32, and everything above in the last one
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

cdef struct Enter:           # the remembered enter event of a thread
    bint valid
    uint16_t type
    uint32_t n
    uint64_t stamp           # time of its storing, in stores: the oldest of a set is evicted
    uint32_t offsets[MAX_PARAMS + 1]
    uint8_t* big             # owned; used when the parameters do not fit into `small`
    uint32_t big_cap
    uint8_t small[64]

cdef struct Converter:
    int64_t* tids            # owned; [set][way]
    Enter* enters            # owned; parallel to `tids`
    uint64_t stores
    uint64_t big_bytes       # held by all `big` together
    uint64_t n_evicted       # enter events forgotten for want of room
    uint64_t n_mismatched    # enter events that were not the one of the exit that asked
    uint8_t* text            # owned; JSON of an old container event
    uint64_t text_cap

cdef const uint8_t* event_classes    # EventClass of [type * CLASS_COLUMNS + parameter count]
cdef const uint8_t* type_shapes      # parameter count of the table | TYPE_LARGE, by type

cdef Converter* converter_new() noexcept nogil      # NULL: no memory
cdef void converter_free(Converter* c) noexcept nogil
cdef void converter_reset(Converter* c) noexcept nogil
# Apply the plan of (ev.type, n) to an event of class CLASS_PLAN; n is the count in the file. Pointers
# that it puts into `ev` are valid until the next call.
cdef int convert(Converter* c, EventView* ev, uint32_t n) noexcept nogil   # ConvertResult
