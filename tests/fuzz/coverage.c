// Edges that code built with -fsanitize-coverage=trace-pc has taken, for run_captures.py.
#include <stdint.h>
#include <string.h>

#define SIZE (1u << 18)

static uint8_t now[SIZE], seen[SIZE];
static __thread uint32_t last;

void __sanitizer_cov_trace_pc(void) {
    uint32_t at = (uint32_t)(((uintptr_t)__builtin_return_address(0) * 0x9E3779B97F4A7C15ull) >> 40);
    uint8_t *count = &now[(at ^ last) & (SIZE - 1)];
    if (*count != 255) ++*count;
    last = at >> 1;
}

// Returns how many edges were taken since the last call that never were, or never as often (by
// powers of two), and begins anew.
int rk_new_edges(void) {
    int found = 0;
    for (uint32_t i = 0; i < SIZE; i++) {
        if (!now[i]) continue;
        uint8_t bucket = (uint8_t)(1u << (31 - __builtin_clz(now[i])));
        if (!(seen[i] & bucket)) {
            seen[i] |= bucket;
            found++;
        }
    }
    memset(now, 0, SIZE);
    return found;
}
