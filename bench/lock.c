/* What a C program pays for a byte lock: lock-loop FILE OFFSET COUNT prints microseconds per lock and unlock. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int count, char **words)
{
    struct flock lock = {.l_whence = SEEK_SET, .l_len = 1};
    struct timespec begin, end;
    int fd = count == 4 ? open(words[1], O_RDWR | O_CREAT, 0660) : -1;
    long rounds = count == 4 ? atol(words[3]) : 0;
    if (fd < 0 || rounds <= 0)
        return 2;
    lock.l_start = atoll(words[2]);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (long i = 0; i < rounds; i++) {
        lock.l_type = F_WRLCK;
        if (fcntl(fd, F_SETLK, &lock) != 0)
            return 1;
        lock.l_type = F_UNLCK;
        if (fcntl(fd, F_SETLK, &lock) != 0)
            return 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%f\n", ((end.tv_sec - begin.tv_sec) * 1e9 + (end.tv_nsec - begin.tv_nsec)) / 1e3 / rounds);
    return 0;
}
