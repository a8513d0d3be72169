/* Files of time zones, and offsets over all of time. */
#include <stdint.h>

#include "base/timezone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t moments[] = {INT64_MIN / 4, -1,         0,          951782400,
                                      1711846800,    2147483648, 4102444800, INT64_MAX / 4};
    struct timezone *z;
    if (timezone_parse(&z, slice_of((const char *)data, size), NULL))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
        int32_t a = timezone_offset(z, moments[i]), b = timezone_offset_local(z, moments[i]);
        if (a < -8 * 86400 || a > 8 * 86400 || b < -8 * 86400 || b > 8 * 86400)
            __builtin_trap();
    }
    timezone_close(z);
    return 0;
}
