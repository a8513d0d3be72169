/* cdc/bson/bson_chars.h - the characters that MongoDB's Java driver prints as they are: of the basic
 * plane, those of the general categories Lu Ll Lt Lo, N*, Zs, P*, S*, as Java 17 (Unicode 13) has
 * them. Written with Character.getType; not meant to be edited by hand. Constant data; thread: any. */
#ifndef WEIR_CDC_BSON_BSON_CHARS_H
#define WEIR_CDC_BSON_BSON_CHARS_H

#include "base/base.h"

/* clang-format off */
static const uint8_t bson_char_page[256] = {
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
    16, 1, 17, 18, 1, 1, 19, 20, 21, 22, 23, 24, 25, 26, 1, 27,
    28, 29, 1, 1, 30, 1, 1, 1, 1, 1, 1, 31, 32, 33, 34, 35,
    36, 37, 38, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 39,
    40, 1, 1, 1, 41, 1, 42, 43, 44, 45, 46, 47, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 48, 49, 49, 49, 49, 49, 49, 49, 49,
    49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49, 49,
    49, 49, 49, 49, 49, 49, 49, 49, 49, 1, 50, 51, 1, 52, 53, 54,
};
static const uint64_t bson_char_raw[55][4] = {
    {0xffffffff00000000, 0x7fffffffffffffff, 0xffffdfff00000000, 0xffffffffffffffff},
    {0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff},
    {0xffffffffffffffff, 0xffffffffffffffff, 0x0000ffffffffffff, 0xffffafe0fffc003c},
    {0x0000000000000000, 0xf8ef000000000000, 0xfffffffbffffd7f0, 0xffffffffffffffff},
    {0xffffffffffffffff, 0xffffffffffffffff, 0xfffffffffffffc07, 0xffffffffffffffff},
    {0xfffeffffffffffff, 0xfffffffffc7fffff, 0x400000000000e7ff, 0x001f87ffffff0049},
    {0xffffffffc800ffc0, 0xfffeffff000007fe, 0xffffffffffffffff, 0xffffc200403fffff},
    {0x0000fffffffd3fff, 0xffffffffffffe000, 0x0002003fffffffff, 0xc3c007ffffffffff},
    {0x7fff0000003fffff, 0x000007ff41ffffff, 0xffdfffff00000000, 0x00000000000000ff},
    {0x23fffffffffffff0, 0xfffdfff3ff010000, 0x23c5fdfffff99fe1, 0x3fffffc3b0004000},
    {0x036dfdfffff987e0, 0x005cffc05e000000, 0x23edfdfffffbbfe0, 0x0203ffc300010000},
    {0x23edfdfffff99fe0, 0x00ffffc3b0000000, 0x03ffc718d63dc7e8, 0x07ffffc000010000},
    {0x23fffdfffffddfe0, 0xff80ffc307000000, 0x23effdfffffddff1, 0x0006ffc340000000},
    {0x27fffffffffddff0, 0xffffffc3ff70c000, 0x2ffbfffffc7fffe0, 0x0010ffc00000007f},
    {0x800dfffffffffffe, 0x000000000fff803f, 0x200dffaffffff7d6, 0x00000000f3ff001f},
    {0x3d5ffffffcffffff, 0x00001ffffffffeff, 0xc000000000001f20, 0x0000000007ffdfbf},
    {0x800007ffffffffff, 0xffe1c0623c3fffff, 0xffffffffc3ff4003, 0xefffffffffff20bf},
    {0xffffffffffffffff, 0xffffffff3d7f3dff, 0x7f3dffffffff3dff, 0xffffffffff7fff3d},
    {0xffffffffff3dffff, 0x1fffffff07ffffff, 0xffffffff03ffffff, 0x3f3fffffffffffff},
    {0xffffffffffffffff, 0xffffffffffffffff, 0xffffffff1fffffff, 0x01ffffffffffffff},
    {0x0063ffff0003dfff, 0x0001dfff0003ffff, 0x000fffffffffffff, 0x03ff03ff1f700000},
    {0xffffffff03ff07ff, 0x01fffffffffffff7, 0xffff05ffffffff9f, 0x003fffffffffffff},
    {0x000000007fffffff, 0x001f3ffffffffff1, 0xffff0fffffffffff, 0xffffffffc7ff03ff},
    {0xffffffffc07fffff, 0x00000000001fffff, 0x00003f7f03ff03ff, 0x0000000000000000},
    {0x000fffffffffffe0, 0x1ff007ffffff0fe0, 0xffffc001fffffff8, 0xf000003fffffffff},
    {0xf800000fffffffff, 0xc0ffffffffffe3ff, 0xe7ffffffffff01ff, 0x046fde00000800ff},
    {0x00000fffffffffff, 0xfefff80000000000, 0x0000000007ffffff, 0x0000000000000000},
    {0xffffffff3f3fffff, 0x3fffffffaaff3f3f, 0xffdfffffffffffff, 0x7fdcffffefcfffdf},
    {0xffff80ffffff07ff, 0x7ff10000ffffffff, 0xffffffff00007fff, 0x0000000000000000},
    {0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffff0fff, 0xffffffffffffffff},
    {0x0000007fffffffff, 0xffffffff000007ff, 0xffffffffffffffff, 0xffffffffffffffff},
    {0xffffffffffffffff, 0xffcfffffffffffff, 0xffffffffffbfffff, 0xffffffffffffffff},
    {0xffff7fffffffffff, 0xcfffffff7fffffff, 0xffffffffffffffff, 0xfe0c7fffffffffff},
    {0xffff20bfffffffff, 0x000100ffffffffff, 0x7f7f7f7f007fffff, 0x000000007f7f7f7f},
    {0xffff7fffffffffff, 0x000000000007ffff, 0xfffffffffbffffff, 0x000fffffffffffff},
    {0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0x0fff0000003fffff},
    {0xf7c103ffffffffdf, 0xfffffffffffffffe, 0xffffffff987fffff, 0x8fffffffffffffff},
    {0xfffeffffffffffe0, 0xffffffffffffffff, 0xffffffffffff7fff, 0xffff000fffffffff},
    {0xffffffff7fffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff},
    {0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0x1fffffffffffffff},
    {0xffffffffffdfffff, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff},
    {0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffff1fff, 0xc0ffffffffff007f},
    {0x00000fffffffefff, 0x40087fffffffffff, 0xffffffff0fffffff, 0x00fcffffffffffff},
    {0xffffffff007fffff, 0xfffeffffffffffff, 0xfffffffffffffeff, 0xfce00000000007fc},
    {0x03ff0f07fffff7bb, 0x00ffffffffffffff, 0x000ffffffffffffc, 0x7ffc000003ffc000},
    {0xffffc03fffffffff, 0x1fffffff8000007f, 0x0007fffffffffff0, 0x7fffff9fc3ff3ffe},
    {0x000001ffffffffff, 0xc7fefffff3ff0ff7, 0x3e62ffffffffffff, 0x000707ffd8000005},
    {0xffff7f7f007e7e7e, 0xffff0dff0fffffff, 0xffffffffffffffff, 0x03ff0807ffffffff},
    {0xffffffffffffffff, 0xffffffffffffffff, 0xffff000fffffffff, 0x0ffffffffffff87f},
    {0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000},
    {0xffffffffffffffff, 0xffff3fffffffffff, 0xffffffffffffffff, 0x0000000003ffffff},
    {0x5f7fffffa0f8007f, 0xffffffffffffffdb, 0xffffffffffffffff, 0xfffffffffff80003},
    {0xffffffffffffffff, 0xffffffffffff0000, 0xfffffffffffcffff, 0x3fff0000000000ff},
    {0xffff000003ff0000, 0xffdf0f7ffff7ffff, 0xffffffffffffffff, 0x1fffffffffffffff},
    {0xfffffffffffffffe, 0xfffeffffffffffff, 0x7fffffff3fffffff, 0x30007f7f1cfcfcfc},
};
/* clang-format on */

static inline bool bson_char_is_raw(uint16_t c)
{
    return bson_char_raw[bson_char_page[c >> 8]][c >> 6 & 3] >> (c & 63) & 1;
}

#endif
