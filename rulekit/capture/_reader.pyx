"""The window between a stream of chunks and the decoder.

Chunks are used where they lie. Only a block that spans two of them is copied together, in the seam;
the window then is that one block, and after it the rest of the chunk.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove, memset
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer

from rulekit.capture._blocks cimport (
    NEXT_END, NEXT_ERROR, NEXT_EVENT, NEXT_NEED_DATA,
    decoder_free, decoder_new, decoder_next,
)
from rulekit.native._event cimport EventView

from rulekit.capture.reader import open_chunks
from rulekit.errors import SourceError

cdef uint64_t SMALL_SEAM = 1 << 20       # what is kept between blocks


cdef class CaptureReader:
    """Read a capture; the engine drives it through the declarations in `_reader.pxd`.

    Args:
        source: A path, ``-`` for standard input, an open binary file (left open), or a
            `rulekit.capture.reader.ChunkStream` of capture bytes, which is closed with the reader.
        lenient: Skip and count invalid events in sound blocks instead of stopping there.
        max_block_bytes: Larger blocks are an error.

    Raises:
        SourceError: The source cannot be opened, or is no capture.
    """

    def __cinit__(self):
        self.decoder = decoder_new()
        if self.decoder == NULL:
            raise MemoryError

    def __init__(self, source, *, bint lenient=False, object max_block_bytes=None):
        self._chunks = source if hasattr(source, "next_chunk") else open_chunks(source)
        self.decoder.lenient = lenient
        if max_block_bytes is not None:
            self.decoder.max_block_bytes = max_block_bytes

    def __dealloc__(self):
        self._release()
        decoder_free(self.decoder)
        free(self._seam)

    @property
    def path(self):
        """The source as the user named it."""
        return self._chunks.path

    @property
    def cut(self):
        """Whether compressed data ended before their end mark: the capture may be incomplete."""
        return self._chunks.cut

    def stats(self):
        """Return the counters of the decoder by name."""
        d = self.decoder
        return {
            "headers": d.n_headers,
            "delivered": d.n_delivered,
            "sections": d.n_sections,
            "bytes": d.base + d.pos,
            "unknown_blocks": d.n_unknown_blocks,
            "unknown_events": d.n_unknown_events,
            "bad_trailers": d.n_bad_trailers,
            "bad_events": d.n_bad_events,
            "drop_records": d.n_drops,
            "enters_evicted": d.converter.n_evicted,
            "enters_mismatched": d.converter.n_mismatched,
            "compressed_data_cut": int(self._chunks.cut),
            **(self._chunks.stats() if hasattr(self._chunks, "stats") else {}),
        }

    @property
    def losses(self):
        """Events that a live stream could not take in so far, by reason."""
        return self._chunks.losses if hasattr(self._chunks, "losses") else {}

    @property
    def n_lost(self):
        """Events that a live stream could not take in so far."""
        return sum(self.losses.values())

    def close(self):
        """Close the source; the reader cannot be used any more. Idempotent."""
        self.decoder.data = NULL
        self.decoder.size = self.decoder.pos = self.decoder.short_end = 0
        self.decoder.final = True
        self._release()
        self._at = 0
        if self._chunks is not None:
            self._chunks.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    cdef void _release(self) noexcept:
        if self._has_view:
            PyBuffer_Release(&self._view)
            self._has_view = False

    cdef bint _load(self) except -1:
        """Fetch the next chunk; False at the end of the stream. The old one is gone then."""
        self._release()
        self._at = 0
        chunk = self._chunks.next_chunk()
        if chunk is None:
            return False
        self.idle = len(chunk) == 0
        PyObject_GetBuffer(chunk, &self._view, PyBUF_SIMPLE)
        self._has_view = True
        return True

    cdef int _extend_seam(self, const uint8_t* data, uint64_t size) except -1:
        cdef uint8_t* grown
        cdef uint64_t cap
        if size > self._seam_cap - self._seam_size:
            cap = max(self._seam_cap * 2, self._seam_size + size, <uint64_t> 4096)
            grown = <uint8_t*> realloc(self._seam, cap)
            if grown == NULL:
                raise MemoryError
            self._seam = grown
            self._seam_cap = cap
        memcpy(self._seam + self._seam_size, data, size)
        self._seam_size += size
        return 0

    cdef int refill(self) except -1:
        cdef Decoder* d = self.decoder
        cdef uint64_t rest = d.size - d.pos
        cdef uint64_t size
        cdef bint at_end = False
        if d.final:
            return 0
        d.base += d.pos
        d.short_end = 0
        if rest == 0:
            if self._seam_cap > SMALL_SEAM:
                free(self._seam)
                self._seam = NULL
                self._seam_cap = 0
            self._seam_size = 0
            d.data = NULL
            d.size = d.pos = 0
            self.idle = False
            while not self._has_view or self._at == <uint64_t> self._view.len:
                if not self._load():
                    d.final = True
                    return 0
                if self.idle:
                    return 0
            d.data = <const uint8_t*> self._view.buf + self._at
            d.size = <uint64_t> self._view.len - self._at
            self._at = self._view.len
            return 0
        if d.data == self._seam and self._seam != NULL:
            memmove(self._seam, self._seam + d.pos, rest)
            self._seam_size = rest
        else:
            self._seam_size = 0
            self._extend_seam(d.data + d.pos, rest)
        d.pos = 0
        while self._seam_size < d.need and not at_end:
            if not self._has_view or self._at == <uint64_t> self._view.len:
                d.data = self._seam          # in case loading fails: the window stays valid
                d.size = self._seam_size
                at_end = not self._load()
                if self.idle:
                    break
                continue
            size = min(<uint64_t> self._view.len - self._at, d.need - self._seam_size)
            self._extend_seam(<const uint8_t*> self._view.buf + self._at, size)
            self._at += size
        d.data = self._seam
        d.size = self._seam_size
        d.final = at_end
        return 0

    cdef object error(self):
        cdef Decoder* d = self.decoder
        return SourceError(d.error.decode("utf-8", "replace"), self.path, d.error_offset)


cdef class EventIterator:
    """Yields (raw, num, ts_ns, tid, type, params) of a capture, for tests and debugging."""

    cdef CaptureReader reader
    cdef EventView ev

    def __init__(self, source, *, bint lenient=False, object max_block_bytes=None):
        self.reader = CaptureReader(source, lenient=lenient, max_block_bytes=max_block_bytes)

    def __iter__(self):
        return self

    def __next__(self):
        cdef int result
        cdef uint32_t i
        cdef EventView* ev = &self.ev
        while True:
            with nogil:
                result = decoder_next(self.reader.decoder, NULL, ev)
            if result == NEXT_EVENT:
                params = tuple([<bytes> (<const char*> ev.params[i].ptr)[:ev.params[i].len]
                                for i in range(ev.nparams)])
                return ev.raw, ev.num, ev.ts_ns, ev.tid, ev.type, params
            if result == NEXT_NEED_DATA:
                self.reader.refill()
            elif result == NEXT_END:
                self.close()
                raise StopIteration
            elif result == NEXT_ERROR:
                raise self.reader.error()

    @property
    def stats(self):
        """Counters of the decoder by name."""
        return self.reader.stats()

    def close(self):
        """Close the source."""
        self.reader.close()


def iter_events(source, *, lenient=False, max_block_bytes=None):
    """Iterate over the delivered events of a capture, converted to their current form.

    Yields:
        (raw, num, ts_ns, tid, type, params): 1-based position among all event headers and among
        the delivered events; params as bytes, empty for "no value".

    Raises:
        SourceError: At the damage, after everything before it was yielded.
    """
    return EventIterator(source, lenient=lenient, max_block_bytes=max_block_bytes)


def time_decode(source):
    """Decode a whole capture without looking at the events; returns their number. For benchmarks."""
    cdef CaptureReader reader = CaptureReader(source)
    cdef EventView ev
    cdef int result
    cdef uint64_t n = 0
    while True:
        with nogil:
            while True:
                result = decoder_next(reader.decoder, NULL, &ev)
                if result != NEXT_EVENT:
                    break
                n += 1
        if result == NEXT_NEED_DATA:
            reader.refill()
        elif result == NEXT_END:
            reader.close()
            return n
        elif result == NEXT_ERROR:
            raise reader.error()
