package lab

// GuestMain is the whole life of a guest process; args are what follows `lbvm-lab guest`.
func GuestMain(args []string) int { return 0 }
