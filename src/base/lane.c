#include "base/lane.h"

#include <stdio.h>

size_t ili_lane_queue(char out[ILI_LANE_NAME_BYTES], const char *lane, const char *which,
                      uint32_t round) {
    int bytes = snprintf(out, ILI_LANE_NAME_BYTES, "%s.%s.%u", lane, which, round);
    return bytes > 0 && bytes < ILI_LANE_NAME_BYTES ? (size_t)bytes : 0;
}
