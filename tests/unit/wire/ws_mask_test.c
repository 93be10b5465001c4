/* Goal: ws_mask_copy and ws_mask_apply are the byte formula of RFC 6455 §5.3 for every length,
 * alignment and phase. Method: compare with that formula, and watch the bytes around the target. */
#include <criterion/criterion.h>
#include <string.h>

#include "wire/ws_mask.h"

enum { LEN_MAX = 80, OFFSETS = 9, GUARD = 16, GUARD_BYTE = 0xa5 };

static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};

static void fill(uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)(i * 151 + 43);
    }
}

static void expect_masked(const uint8_t *target, const uint8_t *source, size_t len, uint64_t phase)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t expected = source[i] ^ mask[(phase % 4 + i) % 4];

        cr_assert_eq(target[i], expected, "len %zu phase %llu byte %zu", len,
                     (unsigned long long)phase, i);
    }
}

static void expect_guard(const uint8_t *guard, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        cr_assert_eq(guard[i], GUARD_BYTE);
    }
}

static void check_copy(size_t len, size_t source_offset, size_t target_offset, uint64_t phase)
{
    uint8_t source[LEN_MAX + OFFSETS];
    uint8_t target[LEN_MAX + OFFSETS + GUARD];

    fill(source, sizeof source);
    memset(target, GUARD_BYTE, sizeof target);
    ws_mask_copy(target + target_offset, source + source_offset, len, mask, phase);
    expect_masked(target + target_offset, source + source_offset, len, phase);
    expect_guard(target, target_offset);
    expect_guard(target + target_offset + len, sizeof target - target_offset - len);

    memcpy(target + target_offset, source + source_offset, len);
    ws_mask_apply(target + target_offset, len, mask, phase);
    expect_masked(target + target_offset, source + source_offset, len, phase);
    expect_guard(target, target_offset);
    expect_guard(target + target_offset + len, sizeof target - target_offset - len);
}

Test(ws_mask, follows_the_formula_for_every_length_alignment_and_phase)
{
    for (size_t len = 0; len <= LEN_MAX; len++) {
        for (size_t offset = 0; offset < OFFSETS; offset++) {
            for (uint64_t phase = 0; phase < 8; phase++) {
                check_copy(len, offset, (offset * 5) % OFFSETS, phase);
            }
        }
    }
}

Test(ws_mask, counts_only_the_phase_modulo_four)
{
    static const uint64_t phases[] = {
        4, 125, 65535, UINT32_MAX, UINT64_C(1) << 40, UINT64_MAX - 1, UINT64_MAX};

    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
        check_copy(LEN_MAX, 1, 3, phases[i]);
    }
}

Test(ws_mask, gives_the_same_bytes_in_any_pieces)
{
    uint8_t source[LEN_MAX], whole[LEN_MAX], pieces[LEN_MAX];

    fill(source, sizeof source);
    ws_mask_copy(whole, source, sizeof source, mask, 0);
    for (size_t first = 0; first <= LEN_MAX; first++) {
        for (size_t second = first; second <= LEN_MAX; second += 7) {
            memset(pieces, 0, sizeof pieces);
            ws_mask_copy(pieces, source, first, mask, 0);
            ws_mask_copy(pieces + first, source + first, second - first, mask, first);
            ws_mask_copy(pieces + second, source + second, LEN_MAX - second, mask, second);
            cr_assert_arr_eq(pieces, whole, LEN_MAX, "cut at %zu and %zu", first, second);
        }
    }
}

Test(ws_mask, undoes_itself)
{
    uint8_t source[LEN_MAX], masked[LEN_MAX], back[LEN_MAX];

    fill(source, sizeof source);
    ws_mask_copy(masked, source, sizeof source, mask, 3);
    cr_assert_neq(memcmp(masked, source, sizeof source), 0);
    ws_mask_copy(back, masked, sizeof masked, mask, 3);
    cr_assert_arr_eq(back, source, sizeof source);
}

/* RFC 6455 §5.7: the masked "Hello". */
Test(ws_mask, unmasks_the_example_of_the_rfc)
{
    static const uint8_t masked[] = {0x7f, 0x9f, 0x4d, 0x51, 0x58};
    uint8_t text[5];

    ws_mask_copy(text, masked, sizeof masked, mask, 0);
    cr_assert_arr_eq(text, "Hello", 5);
}
