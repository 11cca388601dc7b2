module example.org/agents

go 1.23.0

require github.com/lbvm/lbvm v0.0.0

require golang.org/x/sys v0.33.0 // indirect

replace github.com/lbvm/lbvm => ../../../..
