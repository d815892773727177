/** Where the lock files are. All are empty, made at first need and never removed. OpenAFS vol/volume.h, vol/vol-salvage.c. */

/** One byte per volume, at the volume's id. */
export const volumeLockPath = (partition: { readonly path: string }): string => `${partition.path}/.volume.lock`

/** Byte 1 is the lock of all header files of the partition. */
export const headerLockPath = (partition: { readonly path: string }): string => `${partition.path}/.volheaders.lock`

/** Byte 0 keeps salvagers of whole partitions from all other salvagers. In the server's state directory. */
export const salvageLockPath = (stateDirectory: string): string => `${stateDirectory}/salvage.lock`
