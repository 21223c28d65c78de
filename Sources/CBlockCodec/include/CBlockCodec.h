// The codec under RecordBlocks: raw deflate in byte-aligned, joinable pieces, inflate with a bounded output, and CRC-32.
// zlib is the codec of record; ISA-L is used where its header was there at build time and its library is there at run time.
#ifndef C_BLOCK_CODEC_H
#define C_BLOCK_CODEC_H

#include <stddef.h>
#include <stdint.h>

/// 0 is zlib, 1 is ISA-L.
typedef int32_t block_codec_kind;

/// Whether the environment has SLUICE_CODEC=zlib: then ISA-L isn't even loaded.
int32_t block_codec_zlib_is_asked_for(void);
/// Whether ISA-L can be used: compiled in, its library loads, and zlib isn't asked for. Decided at the first call.
int32_t block_codec_isal_available(void);
/// A version string of the codec; static storage.
const char *block_codec_version(block_codec_kind kind);

/// One compressor or decompressor's state; not to be used by two threads at once.
typedef struct block_codec block_codec;
block_codec *block_codec_create(block_codec_kind kind);
void block_codec_destroy(block_codec *codec);

/// The most bytes that `block_codec_deflate` writes for `length` bytes.
size_t block_codec_deflate_bound(size_t length);
/// Deflates `length` bytes into `output` at level 1, ended by a full flush (00 00 FF FF), not final. Returns the bytes written, or -1 when they don't fit.
int64_t block_codec_deflate(block_codec *codec, const void *input, size_t length, void *output, size_t capacity);
/// Inflates raw deflate data that must end (with its final block) exactly at `length` and give exactly `expected` bytes. Returns 0, or -1 when it doesn't.
int32_t block_codec_inflate(block_codec *codec, const void *input, size_t length, void *output, size_t expected);

/// CRC-32 as gzip has it (RFC 1952, section 8), continued from `seed` (0 to begin).
uint32_t block_codec_crc32(uint32_t seed, const void *data, size_t length);
/// The CRC-32 of two pieces joined, from each one's and the second's length.
uint32_t block_codec_crc32_combine(uint32_t first, uint32_t second, uint64_t second_length);

/// A gzip reader for files of others (rotated logs): any number of members, any headers, bounded output for each call.
typedef struct gzip_reader gzip_reader;
gzip_reader *gzip_reader_create(void);
void gzip_reader_destroy(gzip_reader *reader);
/// Feeds `*input_length` bytes; on return it holds the bytes used. Writes at most `*output_length` bytes; on return it holds the bytes written.
/// Returns 0 to go on, 1 at the end of a member (feed on for the next), -1 for damaged data.
int32_t gzip_reader_read(gzip_reader *reader, const void *input, size_t *input_length, void *output, size_t *output_length);

#endif
