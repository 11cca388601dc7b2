# nothing yet
1
