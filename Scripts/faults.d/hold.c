// Stops one thread of a process, and only that one, until this program ends: what a dead lock or a lost file server does
// to a computation while its process goes on saying that it lives.
//   hold PID THREAD-NAME-PREFIX
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **words) {
  if (count != 3) return 2;
  char path[300], name[64];
  snprintf(path, sizeof path, "/proc/%s/task", words[1]);
  DIR *tasks = opendir(path);
  if (!tasks) return 1;
  for (struct dirent *entry; (entry = readdir(tasks));) {
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/proc/%s/task/%.60s/comm", words[1], entry->d_name);
    FILE *file = fopen(path, "r");
    if (!file) continue;
    char *line = fgets(name, sizeof name, file);
    fclose(file);
    if (!line || strncmp(name, words[2], strlen(words[2]))) continue;
    pid_t thread = atoi(entry->d_name);
    if (ptrace(PTRACE_SEIZE, thread, 0, 0) || ptrace(PTRACE_INTERRUPT, thread, 0, 0)) return 1;
    waitpid(thread, 0, __WALL);
    printf("thread %d of process %s is held\n", thread, words[1]);
    fflush(stdout);
    for (;;) pause();
  }
  return 1;
}
