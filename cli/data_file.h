/* data_file.h - files that are installed with the program: configurations for training.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_DATA_FILE_H
#define RESIDUA_CLI_DATA_FILE_H

#define DATA_FILE_SIZE 4096

/* name itself when there is such a file, or none anywhere; else where it is installed: in share/residua of the folder whose bin/ has the
 * program (a moved installation) or in the configured $(datadir)/residua. Written to path then. */
const char *data_file_find(char path[DATA_FILE_SIZE], const char *name);

#endif
