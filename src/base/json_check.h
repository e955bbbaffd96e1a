/* json_check.h - whether a text is JSON, for those that must not need a JSON library. */
#ifndef ILI_BASE_JSON_CHECK_H
#define ILI_BASE_JSON_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#define ILI_JSON_DEPTH_MOST 1024 /* an array of scalars has depth 1 */

/* Whether TEXT is one JSON value (RFC 8259) in UTF-8, with nothing but space around it, and not
 * nested deeper than ILI_JSON_DEPTH_MOST. Numbers may be of any size. Not checked: whether an object
 * has two members of one name. */
bool ili_json_check(const char *text, size_t bytes);

/* The same; *WHERE, if it is not: how many bytes of TEXT were well so far; 0 for what is not UTF-8. */
bool ili_json_check_at(const char *text, size_t bytes, size_t *where);

#endif
