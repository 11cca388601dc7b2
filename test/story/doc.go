// Package story holds no code: its tests tell whole stories on a lab, with the real programs as processes.
//
// Each test makes a lab of its own in a temporary folder, plays administrator, balancer, bad luck or
// saboteur in it, and lets the lab's checker judge, which reads only what the guests wrote. Start with
// TestTwoHundredRelocations. TestMutants shows that the stories would notice: it builds agents with one
// line taken out and wants the very scenario to fail that passes without.
//
// The programs come from the folder that LBVM_BIN names (as `make build` leaves it), else they are built
// first. A lab that a test leaves behind, because it was killed, goes down by itself.
package story
