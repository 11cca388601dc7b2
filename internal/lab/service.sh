#!/bin/sh
# The lab's service: what rgmanager's own says of itself, for whoever reads the agents' metadata. It does nothing.
test "$1" = meta-data && echo '<?xml version="1.0"?>
<resource-agent name="service" version="rgmanager 2.0">
  <version>1.0</version>
  <longdesc lang="en">A group of resources that run on one node.</longdesc>
  <shortdesc lang="en">Service</shortdesc>
  <parameters>
    <parameter name="name" primary="1" unique="1" required="1"><longdesc lang="en">Name.</longdesc><shortdesc lang="en">Name</shortdesc><content type="string"/></parameter>
    <parameter name="domain" reconfig="1"><longdesc lang="en">Failover domain.</longdesc><shortdesc lang="en">Domain</shortdesc><content type="string"/></parameter>
    <parameter name="autostart" reconfig="1"><longdesc lang="en">Start by itself.</longdesc><shortdesc lang="en">Autostart</shortdesc><content type="boolean" default="1"/></parameter>
    <parameter name="exclusive" reconfig="1"><longdesc lang="en">Alone on its node.</longdesc><shortdesc lang="en">Exclusive</shortdesc><content type="boolean" default="0"/></parameter>
    <parameter name="nfslock"><longdesc lang="en">Workaround for NFS locks.</longdesc><shortdesc lang="en">NFS locks</shortdesc><content type="boolean" default="0"/></parameter>
    <parameter name="nfs_client_cache"><longdesc lang="en">Cache for NFS clients.</longdesc><shortdesc lang="en">NFS cache</shortdesc><content type="integer" default="0"/></parameter>
    <parameter name="recovery" reconfig="1"><longdesc lang="en">What to do when it fails.</longdesc><shortdesc lang="en">Recovery</shortdesc><content type="string" default="restart"/></parameter>
    <parameter name="depend"><longdesc lang="en">The service that it needs.</longdesc><shortdesc lang="en">Dependency</shortdesc><content type="string"/></parameter>
    <parameter name="depend_mode"><longdesc lang="en">hard or soft.</longdesc><shortdesc lang="en">Kind of dependency</shortdesc><content type="string" default="hard"/></parameter>
    <parameter name="max_restarts"><longdesc lang="en">Restarts before it is relocated.</longdesc><shortdesc lang="en">Restarts</shortdesc><content type="string" default="0"/></parameter>
    <parameter name="restart_expire_time"><longdesc lang="en">How long a restart counts.</longdesc><shortdesc lang="en">Restarts expire</shortdesc><content type="string" default="0"/></parameter>
    <parameter name="priority"><longdesc lang="en">Order of start with central processing.</longdesc><shortdesc lang="en">Priority</shortdesc><content type="integer" default="0"/></parameter>
  </parameters>
  <actions>
    <action name="start" timeout="5"/>
    <action name="stop" timeout="5"/>
    <action name="reconfig" timeout="5"/>
    <action name="recover" timeout="5"/>
    <action name="reload" timeout="5"/>
    <action name="meta-data" timeout="5"/>
    <action name="validate-all" timeout="5"/>
  </actions>
  <special tag="rgmanager">
    <attributes maxinstances="1"/>
    <child type="lvm" start="1" stop="9"/><child type="fs" start="2" stop="8"/><child type="clusterfs" start="3" stop="7"/>
    <child type="netfs" start="4" stop="6"/><child type="nfsexport" start="5" stop="5"/><child type="nfsclient" start="6" stop="4"/>
    <child type="ip" start="7" stop="2"/><child type="smb" start="8" stop="3"/><child type="script" start="9" stop="1"/>
  </special>
</resource-agent>'
exit 0
