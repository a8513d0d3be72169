/* lab/shop_acts.c - see shop_acts.h. */
#include "lab/shop_acts.h"

#include <stdlib.h>

static const unsigned often[SHOP_ACTS] = {
    [SHOP_ORDER] = 2,   [SHOP_EXTEND] = 1, [SHOP_PAY] = 3,  [SHOP_SHIP] = 3,
    [SHOP_DELIVER] = 3, [SHOP_PRICE] = 1,  [SHOP_DROP] = 3,
};

unsigned shop_acts_dice(struct shop_acts *s, unsigned sides)
{
    return (unsigned)rand_r(&s->seed) % sides;
}

enum shop_act shop_acts_next(struct shop_acts *s)
{
    unsigned shown = s->count++, sides = 0, left;
    if (!s->extends && shown >= SHOP_EXTEND)
        shown++;
    if (shown < SHOP_ACTS)
        return (enum shop_act)shown;
    for (size_t i = 0; i < SHOP_ACTS; i++)
        sides += i == SHOP_EXTEND && !s->extends ? 0 : often[i];
    left = shop_acts_dice(s, sides);
    for (size_t i = 0; i < SHOP_ACTS; i++) {
        unsigned mine = i == SHOP_EXTEND && !s->extends ? 0 : often[i];
        if (left < mine)
            return (enum shop_act)i;
        left -= mine;
    }
    return SHOP_DROP;
}
