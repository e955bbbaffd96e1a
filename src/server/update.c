#include "server/update.h"

il_status ili_update_read(const struct ili_value *changes, void *context,
                          il_status (*begin)(void *context, size_t count, struct ili_fault *fault),
                          il_status (*each)(void *context, const struct ili_value *change,
                                            struct ili_fault *fault),
                          struct ili_fault *fault) {
    struct ili_value_walk walk = {0};
    struct ili_value change;
    size_t count = json_array_size(changes->json);
    if (!json_is_array(changes->json) || count > ILI_UPDATE_MOST) {
        return ili_fault_expected(fault, "changes", "an array of at most 65536 changes");
    }
    il_status status = begin(context, count, fault);
    for (size_t i = 0; status == IL_OK && ili_value_next(changes, &walk, &change); i++) {
        status = json_is_object(change.json) ? each(context, &change, fault)
                                             : ili_fault_expected(fault, NULL, "an object");
        if (status != IL_OK) ili_fault_place(fault, "changes", i, "a change");
    }
    return status;
}
