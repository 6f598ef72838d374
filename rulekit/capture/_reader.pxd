# A capture being read: the decoder and the window of bytes under it.

from libc.stdint cimport uint8_t, uint64_t

from rulekit.capture._blocks cimport Decoder

cdef class CaptureReader:
    cdef Decoder* decoder        # owned; pass it to decoder_next
    cdef object _chunks          # ChunkStream
    cdef Py_buffer _view         # of the current chunk
    cdef bint _has_view
    cdef uint64_t _at            # bytes of the chunk that windows have covered
    cdef uint8_t* _seam          # owned; holds one block that spans chunks
    cdef uint64_t _seam_size
    cdef uint64_t _seam_cap
    cdef bint idle               # the last refill brought nothing: a live stream has nothing yet

    # Put the next window under the decoder; call after NEXT_NEED_DATA, with the GIL. Raises SourceError
    # when the stream itself cannot be read further.
    cdef int refill(self) except -1
    # The SourceError of the decoder after NEXT_ERROR.
    cdef object error(self)
    cdef bint _load(self) except -1
    cdef void _release(self) noexcept
    cdef int _extend_seam(self, const uint8_t* data, uint64_t size) except -1
