/* values.h - values over HTTP: cells.h has what can be done with them. */
#ifndef ILI_SERVER_VALUES_H
#define ILI_SERVER_VALUES_H

#include "server/objects.h"

extern const struct ili_collection ili_values;

#endif
