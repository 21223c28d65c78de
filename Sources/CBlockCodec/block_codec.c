#define _GNU_SOURCE  // zlib's 64-bit crc32_combine
#include "CBlockCodec.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

// SLUICE_WITHOUT_ISAL builds as on a machine without its header.
#if !defined(SLUICE_WITHOUT_ISAL) && __has_include(<isa-l.h>)
#define HAVE_ISAL 1
#include <isa-l.h>
#else
#define HAVE_ISAL 0
#endif

int32_t block_codec_zlib_is_asked_for(void) {
    const char *asked = getenv("SLUICE_CODEC");
    return asked && strcmp(asked, "zlib") == 0;
}

#if HAVE_ISAL
// Resolved at run time, so that a binary built beside ISA-L starts on a machine without it.
static struct {
    void (*deflate_init)(struct isal_zstream *);
    void (*deflate_reset)(struct isal_zstream *);
    int (*deflate)(struct isal_zstream *);
    void (*inflate_init)(struct inflate_state *);
    void (*inflate_reset)(struct inflate_state *);
    int (*inflate)(struct inflate_state *);
    uint32_t (*crc32)(uint32_t, const unsigned char *, uint64_t);
    int usable;
} isal;
static pthread_once_t isal_once = PTHREAD_ONCE_INIT;

static void isal_load(void) {
    // Checksums included: what asks for zlib gets nothing of ISA-L.
    if (block_codec_zlib_is_asked_for()) return;
    void *library = dlopen("libisal.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    *(void **)&isal.deflate_init = dlsym(library, "isal_deflate_init");
    *(void **)&isal.deflate_reset = dlsym(library, "isal_deflate_reset");
    *(void **)&isal.deflate = dlsym(library, "isal_deflate");
    *(void **)&isal.inflate_init = dlsym(library, "isal_inflate_init");
    *(void **)&isal.inflate_reset = dlsym(library, "isal_inflate_reset");
    *(void **)&isal.inflate = dlsym(library, "isal_inflate");
    *(void **)&isal.crc32 = dlsym(library, "crc32_gzip_refl");
    isal.usable = isal.deflate_init && isal.deflate_reset && isal.deflate && isal.inflate_init && isal.inflate_reset && isal.inflate && isal.crc32;
}

// ISA-L 2.30 returns with dirty upper vector registers, which slows SSE code (zlib among it) in the same thread by a third until they are cleared.
static inline void clear_upper_vectors(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx")) __asm__ volatile("vzeroupper" ::: "memory");
#endif
}
#endif

int32_t block_codec_isal_available(void) {
#if HAVE_ISAL
    pthread_once(&isal_once, isal_load);
    return isal.usable;
#else
    return 0;
#endif
}

const char *block_codec_version(block_codec_kind kind) {
#if HAVE_ISAL
    if (kind == 1) {
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
        return TEXT(ISAL_MAJOR_VERSION) "." TEXT(ISAL_MINOR_VERSION) "." TEXT(ISAL_PATCH_VERSION);
    }
#endif
    (void)kind;
    return zlibVersion();
}

struct block_codec {
    block_codec_kind kind;
    int deflating, inflating;
    z_stream deflater, inflater;
#if HAVE_ISAL
    struct isal_zstream *isal_deflater;
    struct inflate_state *isal_inflater;
    uint8_t *level_buffer;
#endif
};

block_codec *block_codec_create(block_codec_kind kind) {
    if (kind == 1 && !block_codec_isal_available()) return NULL;
    block_codec *codec = calloc(1, sizeof *codec);
    if (codec) codec->kind = kind;
    return codec;
}

void block_codec_destroy(block_codec *codec) {
    if (!codec) return;
    if (codec->deflating && codec->kind == 0) deflateEnd(&codec->deflater);
    if (codec->inflating && codec->kind == 0) inflateEnd(&codec->inflater);
#if HAVE_ISAL
    free(codec->isal_deflater);
    free(codec->isal_inflater);
    free(codec->level_buffer);
#endif
    free(codec);
}

size_t block_codec_deflate_bound(size_t length) {
    // Stored blocks cost 5 bytes for each 65,535; igzip's are smaller. The rest is room for headers and the flush.
    return length + (length >> 8) + 1024;
}

static int64_t zlib_deflate(block_codec *codec, const void *input, size_t length, void *output, size_t capacity) {
    z_stream *z = &codec->deflater;
    if (!codec->deflating) {
        if (deflateInit2(z, 1, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) return -1;
        codec->deflating = 1;
    } else if (deflateReset(z) != Z_OK) {
        return -1;
    }
    z->next_in = (Bytef *)input;
    z->avail_in = (uInt)length;
    z->next_out = output;
    z->avail_out = (uInt)capacity;
    if (deflate(z, Z_FULL_FLUSH) != Z_OK || z->avail_in != 0 || z->avail_out == 0) return -1;
    return (int64_t)(capacity - z->avail_out);
}

#if HAVE_ISAL
static int64_t isal_deflate_block(block_codec *codec, const void *input, size_t length, void *output, size_t capacity) {
    if (!codec->isal_deflater) {
        codec->isal_deflater = malloc(sizeof *codec->isal_deflater);
        codec->level_buffer = malloc(ISAL_DEF_LVL1_DEFAULT);
        if (!codec->isal_deflater || !codec->level_buffer) return -1;
    }
    struct isal_zstream *z = codec->isal_deflater;
    isal.deflate_init(z);
    z->level = 1;
    z->level_buf = codec->level_buffer;
    z->level_buf_size = ISAL_DEF_LVL1_DEFAULT;
    z->gzip_flag = IGZIP_DEFLATE;
    z->flush = FULL_FLUSH;
    z->end_of_stream = 0;
    z->next_in = (uint8_t *)input;
    z->avail_in = (uint32_t)length;
    z->next_out = output;
    z->avail_out = (uint32_t)capacity;
    int result = isal.deflate(z);
    clear_upper_vectors();
    if (result != COMP_OK || z->avail_in != 0 || z->avail_out == 0) return -1;
    size_t written = capacity - z->avail_out;
    // A flush marker must stand at the end: only then may another block's data follow without a gap of bits.
    const uint8_t *end = (const uint8_t *)output + written;
    if (written < 4 || end[-4] || end[-3] || end[-2] != 0xFF || end[-1] != 0xFF) return -1;
    return (int64_t)written;
}

static int32_t isal_inflate_block(block_codec *codec, const void *input, size_t length, void *output, size_t expected) {
    if (!codec->isal_inflater) {
        codec->isal_inflater = malloc(sizeof *codec->isal_inflater);
        if (!codec->isal_inflater) return -1;
        isal.inflate_init(codec->isal_inflater);
    }
    struct inflate_state *state = codec->isal_inflater;
    isal.inflate_reset(state);
    state->crc_flag = ISAL_DEFLATE;
    state->next_in = (uint8_t *)input;
    state->avail_in = (uint32_t)length;
    uint8_t spare;
    state->next_out = expected ? output : &spare;
    state->avail_out = (uint32_t)expected;
    int result = isal.inflate(state);
    // With the output full exactly at the end, the closing block may still be unread: give it a byte that must stay empty.
    uint32_t left = 0;
    if (result == ISAL_DECOMP_OK && state->block_state != ISAL_BLOCK_FINISH && state->avail_out == 0) {
        state->next_out = &spare;
        state->avail_out = left = 1;
        result = isal.inflate(state);
    }
    clear_upper_vectors();
    if (result != ISAL_DECOMP_OK || state->block_state != ISAL_BLOCK_FINISH) return -1;
    // ISA-L takes up to eight bytes ahead: whole bytes in its bit buffer stand behind the end.
    return state->avail_in == 0 && state->read_in_length < 8 && state->avail_out == left ? 0 : -1;
}
#endif

static int32_t zlib_inflate(block_codec *codec, const void *input, size_t length, void *output, size_t expected) {
    z_stream *z = &codec->inflater;
    if (!codec->inflating) {
        if (inflateInit2(z, -15) != Z_OK) return -1;
        codec->inflating = 1;
    } else if (inflateReset(z) != Z_OK) {
        return -1;
    }
    uint8_t spare;
    z->next_in = (Bytef *)input;
    z->avail_in = (uInt)length;
    z->next_out = expected ? output : &spare;
    z->avail_out = (uInt)expected;
    int result = inflate(z, Z_FINISH);
    if (result == Z_BUF_ERROR && z->avail_out == 0) {
        z->next_out = &spare;
        z->avail_out = 1;
        result = inflate(z, Z_FINISH);
        if (z->avail_out != 1) return -1;
        return result == Z_STREAM_END && z->avail_in == 0 ? 0 : -1;
    }
    return result == Z_STREAM_END && z->avail_in == 0 && z->avail_out == 0 ? 0 : -1;
}

int64_t block_codec_deflate(block_codec *codec, const void *input, size_t length, void *output, size_t capacity) {
    if (length > UINT32_MAX || capacity > UINT32_MAX) return -1;
#if HAVE_ISAL
    if (codec->kind == 1) return isal_deflate_block(codec, input, length, output, capacity);
#endif
    return zlib_deflate(codec, input, length, output, capacity);
}

int32_t block_codec_inflate(block_codec *codec, const void *input, size_t length, void *output, size_t expected) {
    if (length > UINT32_MAX || expected > UINT32_MAX) return -1;
#if HAVE_ISAL
    if (codec->kind == 1) return isal_inflate_block(codec, input, length, output, expected);
#endif
    return zlib_inflate(codec, input, length, output, expected);
}

uint32_t block_codec_crc32(uint32_t seed, const void *data, size_t length) {
    if (length == 0) return seed;  // zlib answers 0 for a null pointer, whatever the seed
#if HAVE_ISAL
    if (block_codec_isal_available()) {
        uint32_t crc = isal.crc32(seed, data, length);
        clear_upper_vectors();
        return crc;
    }
#endif
    return (uint32_t)crc32_z(seed, data, length);
}

uint32_t block_codec_crc32_combine(uint32_t first, uint32_t second, uint64_t second_length) {
    return (uint32_t)crc32_combine64(first, second, (z_off64_t)second_length);
}

struct gzip_reader {
    z_stream z;
};

gzip_reader *gzip_reader_create(void) {
    gzip_reader *reader = calloc(1, sizeof *reader);
    if (!reader) return NULL;
    if (inflateInit2(&reader->z, 15 + 16) != Z_OK) {
        free(reader);
        return NULL;
    }
    return reader;
}

void gzip_reader_destroy(gzip_reader *reader) {
    if (!reader) return;
    inflateEnd(&reader->z);
    free(reader);
}

int32_t gzip_reader_read(gzip_reader *reader, const void *input, size_t *input_length, void *output, size_t *output_length) {
    z_stream *z = &reader->z;
    uInt given = *input_length > (1u << 30) ? (1u << 30) : (uInt)*input_length;
    uInt room = *output_length > (1u << 30) ? (1u << 30) : (uInt)*output_length;
    z->next_in = (Bytef *)input;
    z->avail_in = given;
    z->next_out = output;
    z->avail_out = room;
    int result = inflate(z, Z_NO_FLUSH);
    *input_length = given - z->avail_in;
    *output_length = room - z->avail_out;
    if (result == Z_STREAM_END) {
        inflateReset(z);
        return 1;
    }
    return result == Z_OK || result == Z_BUF_ERROR ? 0 : -1;
}
