// Package main has the body of the function command: this file is here so that
// the compiler lets it be declared without one.
