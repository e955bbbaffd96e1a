# cmake --install: the places where distributions look, and packages for CMake and pkg-config.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Interlock)

install(TARGETS interlock EXPORT InterlockTargets)
install(TARGETS interlock_remote LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS interlockd interlock_cli interlock_worker)
install(FILES api/interlock.h api/interlock_data.h api/interlock_module.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

install(EXPORT InterlockTargets NAMESPACE Interlock:: DESTINATION ${package_dir})
configure_package_config_file(packaging/InterlockConfig.cmake.in
  ${PROJECT_BINARY_DIR}/packaging/InterlockConfig.cmake INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may break the ABI.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/packaging/InterlockConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/packaging/InterlockConfig.cmake
  ${PROJECT_BINARY_DIR}/packaging/InterlockConfigVersion.cmake
  DESTINATION ${package_dir})

# interlock.pc finds its prefix from its own place, since --prefix may choose another one later.
file(RELATIVE_PATH pc_prefix /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
string(REGEX REPLACE "/$" "" pc_prefix ${pc_prefix})
configure_file(packaging/interlock.pc.in ${PROJECT_BINARY_DIR}/packaging/interlock.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/packaging/interlock.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
