// Package packaging tests what failoverd is installed with, by the programs that users install it with.
package packaging
