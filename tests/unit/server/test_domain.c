/* The epoch under the tokens: it grows whatever the clock does. */
#include <criterion/criterion.h>

#include "server/domain.h"

Test(server_domain, the_epoch_grows_when_the_clock_does_not) {
    cr_assert_eq(ili_epoch_next(1000, 0), 1000);
    cr_assert_eq(ili_epoch_next(1000, 999), 1000);
    cr_assert_eq(ili_epoch_next(1000, 1000), 1001);
    cr_assert_eq(ili_epoch_next(1000, 5000), 5001);
}
