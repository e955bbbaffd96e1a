/* The spawner process of the tests: their own main() is Criterion's. */
#include "work/spawner.h"

int main(int count, char **arguments) {
    (void)count;
    return ili_spawner_asked(arguments) ? ili_spawner_main() : 1;
}
