package cluster

import "regexp"

// InWordsOf puts what a message says to do, in rgmanager's commands, into those of the manager of that kind: an
// administrator of Pacemaker has no clusvcadm.
func InWordsOf(kind, text string) string {
	if kind != NamePacemaker {
		return text
	}
	for _, r := range pacemakerWords() {
		text = r.what.ReplaceAllString(text, r.says)
	}
	return text
}

type phrase struct {
	what *regexp.Regexp
	says string
}

func pacemakerWords() []phrase {
	const id = `(?:primitive:|group:)?([A-Za-z0-9_.+-]*[A-Za-z0-9_+-])`
	role := func(is string) string {
		return "crm_resource --resource $1 --meta --set-parameter target-role --parameter-value " + is
	}
	var out []phrase
	// The constraint comes before the start, as in Enable: started first it would start anywhere.
	for _, x := range [...][2]string{
		{`clusvcadm -d, then -e -m ([A-Za-z0-9_.+-]*[A-Za-z0-9_+-])`, "target-role Stopped; crm_resource --move --node $1 --lifetime PT30M; target-role Started"},
		{`clusvcadm -e ` + id + ` -m ([A-Za-z0-9_.+-]*[A-Za-z0-9_+-])`, "crm_resource --resource $1 --move --node $2 --lifetime PT30M; " + role("Started")},
		{`clusvcadm -d ` + id, role("Stopped")},
		{`clusvcadm -e ` + id, role("Started")},
		{`clusvcadm -R ` + id, "crm_resource --resource $1 --restart"},
		{`\(clusvcadm -U \S+ lets it go\)`, "(not managed, or the cluster or its node in maintenance: crm_mon -1 tells)"},
		{`clusvcadm -U ` + id, "crm_resource --resource $1 --meta --delete-parameter is-managed"},
		{` \(clusvcadm -M\)`, " (allow-migrate)"},
		{`\bclustat\b`, "crm_mon -1rf"},
		{`\bfence_node ([A-Za-z0-9_.+-]*[A-Za-z0-9_+-])`, "stonith_admin --reboot $1"},
		{`\bfence_ack_manual ([A-Za-z0-9_.+-]*[A-Za-z0-9_+-])`, "stonith_admin --confirm $1"},
		{`\bfence_tool ls\b`, "stonith_admin --history '*'"},
		{`\bcman_tool status\b`, "corosync-quorumtool"},
		{`service cman start; service lbvm start; service rgmanager start`, "systemctl start corosync pacemaker"},
		{`service cman start; service rgmanager start`, "systemctl start pacemaker"},
		{`service rgmanager start`, "crm_mon -1: standby, maintenance or pending?"},
		{`does not run the cluster manager`, "takes no VMs now: it is in standby, in maintenance, or on its way in or out"},
		{`the failover domain of (\S+) does not allow`, "the constraints of $1 do not allow"},
		{`\bits failover domain allows\b`, "the constraints allow"},
		{`\bin cluster\.conf\b`, "in Pacemaker's configuration"},
	} {
		out = append(out, phrase{regexp.MustCompile(x[0]), x[1]})
	}
	return out
}
