/* A module of a user: interlock-worker loads it. */
#include <interlock_module.h>

static il_status twice(il_call *call) {
    double number;
    if (il_call_number(call, 0, &number) != IL_OK) return IL_EINVAL;
    return il_call_return_number(call, 2 * number);
}

static const il_module_function functions[] = {{"twice", twice}};
static const il_module module = {sizeof module, IL_MODULE_ABI_VERSION, "twice", 1, functions};

const il_module *il_module_main(uint32_t abi_version) {
    (void)abi_version;
    return &module;
}
