/* lab/shop_acts.h - what happens next in the demo's shop, whatever it is kept in. Thread: one. */
#ifndef WEIR_LAB_SHOP_ACTS_H
#define WEIR_LAB_SHOP_ACTS_H

#include "base/base.h"

enum shop_act {
    SHOP_ORDER,  /* one comes in */
    SHOP_EXTEND, /* one has an item more */
    SHOP_PAY,    /* NEW -> PAID -> SHIPPED -> DELIVERED */
    SHOP_SHIP,
    SHOP_DELIVER,
    SHOP_PRICE, /* of a product goes up */
    SHOP_DROP,  /* a delivered order leaves */
    SHOP_ACTS
};
struct shop_acts {
    bool extends; /* orders can have several items */
    unsigned seed;
    unsigned count; /* so far */
};
/* Each kind once, in this order, then any. Orders move on and leave more often than new ones come
 * in, so that there are few of them however long the demo runs. */
enum shop_act shop_acts_next(struct shop_acts *s);
unsigned shop_acts_dice(struct shop_acts *s, unsigned sides); /* below sides */

#endif
