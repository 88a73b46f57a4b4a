// All-reduce of float32 by MPI, as `unmask benchmark allreduce --json` measures ours: one JSON line a size.
// usage: mpirun -n N allreduce_mpi SECONDS BYTES...
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  int rank, workers;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &workers);
  double seconds = atof(argv[1]);
  for (int argument = 2; argument < argc; argument++) {
    long bytes = atol(argv[argument]);
    int count = (int)(bytes / 4);
    float *data = malloc(bytes);
    for (int i = 0; i < count; i++) data[i] = (float)rank;
    double begin = MPI_Wtime();
    for (int i = 0; i < 5; i++) MPI_Allreduce(MPI_IN_PLACE, data, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    double each = (MPI_Wtime() - begin) / 5;
    int iterations = (int)(seconds / each);
    if (iterations < 20) iterations = 20;
    if (iterations > 5000) iterations = 5000;
    MPI_Bcast(&iterations, 1, MPI_INT, 0, MPI_COMM_WORLD);
    double *times = malloc(sizeof(double) * iterations);
    for (int i = 0; i < iterations; i++) {
      begin = MPI_Wtime();
      MPI_Allreduce(MPI_IN_PLACE, data, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
      times[i] = MPI_Wtime() - begin;
      for (int j = 0; j < count; j++) data[j] *= 0.5f;
    }
    if (rank == 0) {
      qsort(times, iterations, sizeof(double), compare);
      double middle = times[iterations / 2], late = times[(int)((iterations - 1) * 0.99)];
      double rate = bytes / middle / 1e9;
      printf("{\"benchmark\": \"allreduce\", \"by\": \"open-mpi\", \"workers\": %d, \"bytes\": %ld, \"iterations\": %d, "
             "\"p50_us\": %.3f, \"p99_us\": %.3f, \"algbw_gb_s\": %.4f, \"busbw_gb_s\": %.4f}\n",
             workers, bytes, iterations, middle * 1e6, late * 1e6, rate, rate * 2 * (workers - 1) / workers);
      fflush(stdout);
    }
    free(times);
    free(data);
  }
  MPI_Finalize();
  return 0;
}
