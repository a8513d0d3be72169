/* lab/lab.h - `weir lab`: the brokers of a running `weir server --lab-brokers N`, by its web API. */
#ifndef WEIR_LAB_LAB_H
#define WEIR_LAB_LAB_H

/* argv: what follows the subcommand. Returns the process's exit status. Thread: main. */
int lab_main(int argc, char **argv);

#endif
