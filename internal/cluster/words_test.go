package cluster

import "testing"

func TestInWordsOf(t *testing.T) {
	for text, want := range map[string]string{
		"disable it first (clusvcadm -d primitive:web1); nothing was changed": "disable it first (crm_resource --resource web1 --meta --set-parameter target-role --parameter-value Stopped); nothing was changed",
		"stop it: clusvcadm -d primitive:web.1. If":                           "stop it: crm_resource --resource web.1 --meta --set-parameter target-role --parameter-value Stopped. If",
		"clusvcadm -e group:g -m n2":                                          "crm_resource --resource g --move --node n2 --lifetime PT30M; crm_resource --resource g --meta --set-parameter target-role --parameter-value Started",
		"clusvcadm -d, then -e -m n2":                                         "target-role Stopped; crm_resource --move --node n2 --lifetime PT30M; target-role Started",
		"live migration by the cluster manager (clusvcadm -M)":                "live migration by the cluster manager (allow-migrate)",
		"unknown: check with clustat and lbm list":                            "unknown: check with crm_mon -1rf and lbm list",
		"have it fenced: fence_node node2; then":                              "have it fenced: stonith_admin --reboot node2; then",
		"where it fails fence_ack_manual node2: then":                         "where it fails stonith_admin --confirm node2: then",
		"service cman start; service lbvm start; service rgmanager start: on": "systemctl start corosync pacemaker: on",
		"primitive:web1 is frozen (clusvcadm -U primitive:web1 lets it go)":   "primitive:web1 is frozen (not managed, or the cluster or its node in maintenance: crm_mon -1 tells)",
		"node node1 does not run the cluster manager":                         "node node1 takes no VMs now: it is in standby, in maintenance, or on its way in or out",
		"the failover domain of primitive:web1 does not allow node node1":     "the constraints of primitive:web1 do not allow node node1",
		"nothing of rgmanager's is in it":                                     "nothing of rgmanager's is in it",
	} {
		if got := InWordsOf(NamePacemaker, text); got != want {
			t.Errorf("%q became\n%q", text, got)
		}
		if got := InWordsOf(NameRGManager, text); got != text {
			t.Errorf("%q", got)
		}
	}
}
