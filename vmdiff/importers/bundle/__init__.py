"""What ``vmdiff collector`` printed: text files of ``/proc``, of one process or several."""
