package ocf

// policy tells whether a parameter is about what rgmanager does with a service, and nothing that an agent reads: other
// managers have their own words for it (reference: reslist.c, service.sh).
func policy(name string) bool {
	switch name {
	case "domain", "autostart", "exclusive", "recovery", "depend", "depend_mode", "max_restarts", "restart_expire_time", "priority":
		return true
	}
	return false
}
