/* BLAKE3's inner nodes: chaining values of any part of an input that begins at a multiple of 1 KiB,
   from which the digest of the whole is made whatever the order in which its parts came.

   Follows the BLAKE3 paper (section 2). The library for Python gives digests of whole inputs only.
   Eight chunks, or pairs of values, at a time, in the compiler's vectors. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PUBLIC __attribute__((visibility("default")))

enum { CHUNK = 1024, BLOCK = 64, DIGEST = 32, LANES = 8, MOST_CHUNKS = 64 };
enum { CHUNK_START = 1, CHUNK_END = 2, PARENT = 4, ROOT = 8 };

typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));
typedef uint32_t four __attribute__((vector_size(16)));

static const uint32_t IV[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                               0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};

/* The words of a message in the order in which each round takes them. */
static const uint8_t ORDER[7][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8},
    {3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1},
    {10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6},
    {12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4},
    {9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7},
    {11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13},
};

#define TURN(x, n) (((x) >> (n)) | ((x) << (32 - (n))))

#define MIX(v, a, b, c, d, x, y)                                                                   \
    do {                                                                                           \
        v[a] += v[b] + (x);                                                                        \
        v[d] = TURN(v[d] ^ v[a], 16);                                                              \
        v[c] += v[d];                                                                              \
        v[b] = TURN(v[b] ^ v[c], 12);                                                              \
        v[a] += v[b] + (y);                                                                        \
        v[d] = TURN(v[d] ^ v[a], 8);                                                               \
        v[c] += v[d];                                                                              \
        v[b] = TURN(v[b] ^ v[c], 7);                                                               \
    } while (0)

#define ROUND(v, m, o)                                                                             \
    do {                                                                                           \
        MIX(v, 0, 4, 8, 12, m[o[0]], m[o[1]]);                                                     \
        MIX(v, 1, 5, 9, 13, m[o[2]], m[o[3]]);                                                     \
        MIX(v, 2, 6, 10, 14, m[o[4]], m[o[5]]);                                                    \
        MIX(v, 3, 7, 11, 15, m[o[6]], m[o[7]]);                                                    \
        MIX(v, 0, 5, 10, 15, m[o[8]], m[o[9]]);                                                    \
        MIX(v, 1, 6, 11, 12, m[o[10]], m[o[11]]);                                                  \
        MIX(v, 2, 7, 8, 13, m[o[12]], m[o[13]]);                                                   \
        MIX(v, 3, 4, 9, 14, m[o[14]], m[o[15]]);                                                   \
    } while (0)

#define ROUNDS(v, m)                                                                               \
    do {                                                                                           \
        ROUND(v, m, ORDER[0]);                                                                     \
        ROUND(v, m, ORDER[1]);                                                                     \
        ROUND(v, m, ORDER[2]);                                                                     \
        ROUND(v, m, ORDER[3]);                                                                     \
        ROUND(v, m, ORDER[4]);                                                                     \
        ROUND(v, m, ORDER[5]);                                                                     \
        ROUND(v, m, ORDER[6]);                                                                     \
    } while (0)

static inline uint32_t word(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline void put(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static void compress(uint32_t h[8], const uint8_t *block, size_t length, uint64_t counter,
                     uint32_t flags) {
    uint32_t m[16], v[16];
    for (int i = 0; i < 16; i++)
        m[i] = word(block + 4 * i);
    for (int i = 0; i < 8; i++)
        v[i] = h[i], v[i + 8] = IV[i & 3];
    v[12] = (uint32_t)counter;
    v[13] = (uint32_t)(counter >> 32);
    v[14] = (uint32_t)length;
    v[15] = flags;
    ROUNDS(v, m);
    for (int i = 0; i < 8; i++)
        h[i] = v[i] ^ v[i + 8];
}

static void chunk(const uint8_t *in, size_t length, uint64_t counter, uint8_t out[DIGEST]) {
    uint32_t h[8], flags = CHUNK_START;
    memcpy(h, IV, sizeof h);
    for (; length > BLOCK; in += BLOCK, length -= BLOCK, flags = 0)
        compress(h, in, BLOCK, counter, flags);
    uint8_t last[BLOCK] = {0};
    memcpy(last, in, length);
    compress(h, last, length, counter, flags | CHUNK_END);
    for (int i = 0; i < 8; i++)
        put(out + 4 * i, h[i]);
}

#if defined(__clang__) || __GNUC__ >= 12
#    define PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#    define PICK(a, b, ...) __builtin_shuffle(a, b, (four){__VA_ARGS__})
#endif

/* Four words of each of eight rows, which lie `stride` apart: the first ones, the second ones …
   In halves, since compilers take wider shuffles apart where the machine has none. */
static inline __attribute__((always_inline)) void four_words(const uint8_t *in, size_t stride,
                                                             lanes out[4]) {
    for (int half = 0; half < LANES; half += 4) {
        four a, b, c, d, columns[4];
        memcpy(&a, in + half * stride, sizeof a);
        memcpy(&b, in + (half + 1) * stride, sizeof b);
        memcpy(&c, in + (half + 2) * stride, sizeof c);
        memcpy(&d, in + (half + 3) * stride, sizeof d);
        four ab = PICK(a, b, 0, 4, 1, 5), cd = PICK(c, d, 0, 4, 1, 5);
        columns[0] = PICK(ab, cd, 0, 1, 4, 5);
        columns[1] = PICK(ab, cd, 2, 3, 6, 7);
        ab = PICK(a, b, 2, 6, 3, 7), cd = PICK(c, d, 2, 6, 3, 7);
        columns[2] = PICK(ab, cd, 0, 1, 4, 5);
        columns[3] = PICK(ab, cd, 2, 3, 6, 7);
        for (int i = 0; i < 4; i++)
            memcpy((uint8_t *)&out[i] + 4 * half, &columns[i], sizeof columns[i]);
    }
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    for (int i = 0; i < 4; i++)
        out[i] = out[i] >> 24 | (out[i] >> 8 & 0xFF00) | (out[i] & 0xFF00) << 8 | out[i] << 24;
#endif
}

/* The values of eight inputs of so many blocks, which lie `stride` apart; chunks are numbered from
   `counter` on, a pair of values is a PARENT's one block. AVX-512 turns words in one instruction,
   and has registers for all of a round's. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#    if __GNUC__ >= 12
__attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#    else
__attribute__((target_clones("avx2", "default")))
#    endif
#endif
static void eight(const uint8_t *in, size_t stride, int blocks, uint64_t counter, uint32_t always,
                  uint8_t out[LANES * DIGEST]) {
    lanes h[8], low = {0}, high = {0};
    for (int i = 0; i < 8; i++)
        h[i] = (lanes){0} + IV[i];
    for (unsigned l = 0; l < LANES && !always; l++) {
        low[l] = (uint32_t)(counter + l);
        high[l] = (uint32_t)((counter + l) >> 32);
    }
    for (int block = 0; block < blocks; block++) {
        lanes m[16], v[16] = {0};
        for (int i = 0; i < 16; i += 4)
            four_words(in + block * BLOCK + 4 * i, stride, m + i);
        for (int i = 0; i < 8; i++)
            v[i] = h[i];
        for (int i = 0; i < 4; i++)
            v[i + 8] = (lanes){0} + IV[i];
        uint32_t ends = (block == 0 ? CHUNK_START : 0) | (block == blocks - 1 ? CHUNK_END : 0);
        uint32_t flags = always ? always : ends;
        v[12] = low;
        v[13] = high;
        v[14] = (lanes){0} + (uint32_t)BLOCK;
        v[15] = (lanes){0} + flags;
        ROUNDS(v, m);
        for (int i = 0; i < 8; i++)
            h[i] = v[i] ^ v[i + 8];
    }
    lanes values[LANES];
    four_words((const uint8_t *)h, sizeof h[0], values);
    four_words((const uint8_t *)h + sizeof(four), sizeof h[0], values + 4);
    memcpy(out, values, sizeof values);
}

/* The value of a node from those of the two below it; `is_root`: the digest. */
PUBLIC void roar_parent(const uint8_t below[2 * DIGEST], int is_root, uint8_t out[DIGEST]) {
    uint32_t h[8];
    memcpy(h, IV, sizeof h);
    compress(h, below, BLOCK, 0, PARENT | (is_root ? ROOT : 0));
    for (int i = 0; i < 8; i++)
        put(out + 4 * i, h[i]);
}

/* The node over `chunks` whole chunks from in[at] on, a power of two from 2 to 64, of which the
   first has this number: the two values below it, and its own. */
PUBLIC void roar_node(const uint8_t *in, size_t at, size_t chunks, uint64_t counter,
                      uint8_t out[3 * DIGEST]) {
    uint8_t values[MOST_CHUNKS * DIGEST] = {0};
    in += at;
    for (size_t i = 0; chunks < LANES && i < chunks; i++)
        chunk(in + i * CHUNK, CHUNK, counter + i, values + i * DIGEST);
    for (size_t i = 0; chunks >= LANES && i < chunks; i += LANES)
        eight(in + i * CHUNK, CHUNK, CHUNK / BLOCK, counter + i, 0, values + i * DIGEST);
    /* Eight take hardly longer than two, so that what is too many does no harm. */
    for (size_t n = chunks / 2; n > 1; n /= 2)
        for (size_t i = 0; i < n; i += LANES)
            eight(values + i * BLOCK, BLOCK, 1, 0, PARENT, values + i * DIGEST);
    memcpy(out, values, 2 * DIGEST);
    roar_parent(values, 0, out + 2 * DIGEST);
}

/* The value of one chunk, perhaps the last and shorter, in an input of more than one. */
PUBLIC void roar_chunk(const uint8_t *in, size_t length, uint64_t counter, uint8_t out[DIGEST]) {
    chunk(in, length, counter, out);
}
