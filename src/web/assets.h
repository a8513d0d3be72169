/* web/assets.h - the web page's files inside the binary. The table is made by tools/embed.sh. */
#ifndef WEIR_WEB_ASSETS_H
#define WEIR_WEB_ASSETS_H

#include <stddef.h>

struct asset {
    const char *name; /* path below the site's root, such as "assets/main.js" */
    const char *mime;
    const char *etag; /* with its quotes */
    const unsigned char *bytes;
    size_t n;
    const unsigned char *gz; /* the same, gzip */
    size_t gz_n;
};
/* Sorted by name; ends with a row of NULLs. Immutable. */
extern const struct asset assets[];

#endif
