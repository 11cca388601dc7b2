// Package bench holds no code: its tests measure what the agents cost, against their peers and against what is the
// least that such a program can cost, and fail where an agent is too dear.
//
// The yardstick of a status check is the tool alone plus the start of an empty Go program; that of meta-data is the
// empty program. The peers are the unmodified agents of Debian's resource-agents, where they are installed. All run
// in turns, so that a busy machine is busy for each of them. The rule engine is measured the same way beside perl
// (TestRules). `make bench` prints the tables; docs/performance.md says how to read them.
package bench
