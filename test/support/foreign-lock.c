/*
 * A program that locks bytes of a file as any C program does: foreign-lock FILE hold|try KIND:TYPE:FIRST:LENGTH...
 * KIND is record or description, TYPE read or write. Prints "granted" or "refused" per lock, in order, and for hold then
 * "holding" and waits to be ended.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **words)
{
    int fd = count < 3 ? -1 : open(words[1], O_RDWR | O_CREAT, 0660);
    if (fd < 0) {
        perror("foreign-lock");
        return 2;
    }
    for (int i = 3; i < count; i++) {
        char kind[16], type[16];
        long long first, length;
        struct flock lock;
        if (sscanf(words[i], "%15[^:]:%15[^:]:%lld:%lld", kind, type, &first, &length) != 4)
            return 2;
        memset(&lock, 0, sizeof lock);
        lock.l_type = strcmp(type, "write") == 0 ? F_WRLCK : F_RDLCK;
        lock.l_whence = SEEK_SET;
        lock.l_start = first;
        lock.l_len = length;
        if (fcntl(fd, strcmp(kind, "record") == 0 ? F_SETLK : F_OFD_SETLK, &lock) == 0)
            puts("granted");
        else if (errno == EAGAIN || errno == EACCES)
            puts("refused");
        else {
            perror("foreign-lock");
            return 2;
        }
    }
    if (strcmp(words[2], "hold") == 0) {
        puts("holding");
        fflush(stdout);
        for (;;)
            pause();
    }
    return 0;
}
