"""Which tactics a technique of MITRE ATT&CK (enterprise) belongs to.

Facts of the public matrix, versions 13 (2023) to 19 (2026): a technique counts for every tactic
under which any of them lists it. Version 19 splits defense evasion into stealth and defense
impairment; the old name goes on counting for both. Sub-techniques follow their technique.
Techniques that are not in the table are not judged.
"""

from __future__ import annotations

TACTICS: dict[str, str] = {
    "TA0043": "reconnaissance",
    "TA0042": "resource_development",
    "TA0001": "initial_access",
    "TA0002": "execution",
    "TA0003": "persistence",
    "TA0004": "privilege_escalation",
    "TA0005": "defense_evasion",
    "TA0006": "credential_access",
    "TA0007": "discovery",
    "TA0008": "lateral_movement",
    "TA0009": "collection",
    "TA0011": "command_and_control",
    "TA0010": "exfiltration",
    "TA0040": "impact",
}

# How the table below shortens tactics; `def` goes without saying beside `ste` and `dim`.
_SHORT = {
    "rec": "reconnaissance",
    "res": "resource_development",
    "ini": "initial_access",
    "exe": "execution",
    "per": "persistence",
    "pri": "privilege_escalation",
    "def": "defense_evasion",
    "cre": "credential_access",
    "dis": "discovery",
    "lat": "lateral_movement",
    "col": "collection",
    "com": "command_and_control",
    "exf": "exfiltration",
    "imp": "impact",
    "ste": "stealth",
    "dim": "defense_impairment",
}

_TABLE = """
rec T1589 T1590 T1591 T1592 T1593 T1594 T1595 T1596 T1597 T1598 T1681 T1682
res T1583 T1584 T1585 T1586 T1587 T1588 T1608 T1650 T1683
ini T1189 T1190 T1195 T1199 T1200 T1566 T1669
ini,com T1659
ini,per T1133
ini,per,pri,ste T1078
ini,lat T1091
exe T1047 T1059 T1106 T1129 T1203 T1204 T1559 T1569 T1609 T1648 T1651 T1674 T1675 T1677
exe,def T1610
exe,per,pri T1053
exe,lat T1072
exe,ste T1127
per T1136 T1137 T1176 T1505 T1525 T1554 T1653 T1668 T1671
per,pri T1037 T1098 T1543 T1546 T1547
per,dim T1112
per,exe,ste T1197
per,ste T1542
per,com,ste T1205
exe,per,pri,ste T1574
per,cre,dim T1556
pri T1068 T1611
pri,ste T1055 T1134
pri,dim T1484
pri,def T1548
def T1562 T1656 T1672
ste T1006 T1014 T1027 T1036 T1070 T1140 T1202 T1211 T1216 T1218 T1220 T1221 T1480 T1535 T1564
ste T1612 T1620 T1678 T1679 T1684
dim T1207 T1222 T1553 T1578 T1599 T1600 T1601 T1647 T1666 T1685 T1686 T1687 T1688 T1689 T1690
dis,ste T1497 T1622
def,lat T1550
cre T1003 T1110 T1111 T1187 T1212 T1528 T1539 T1552 T1555 T1558 T1606 T1621 T1649
cre,dis T1040
cre,col T1056 T1557
dis T1007 T1010 T1012 T1016 T1018 T1033 T1046 T1049 T1057 T1069 T1082 T1083 T1087 T1120 T1124
dis T1135 T1201 T1217 T1482 T1518 T1526 T1538 T1580 T1613 T1614 T1615 T1619 T1652 T1654 T1673
dis T1680
lat T1021 T1080 T1210 T1534 T1563 T1570
col T1005 T1025 T1039 T1074 T1113 T1114 T1115 T1119 T1123 T1125 T1185 T1213 T1530 T1560 T1602
com T1001 T1008 T1071 T1090 T1092 T1095 T1102 T1104 T1105 T1132 T1219 T1568 T1571 T1572 T1573
com T1665
exf T1011 T1020 T1029 T1030 T1041 T1048 T1052 T1537 T1567
imp T1485 T1486 T1489 T1490 T1491 T1495 T1496 T1498 T1499 T1529 T1531 T1561 T1565 T1657 T1667
"""


def _tactics(shortened: str) -> frozenset[str]:
    words = shortened.split(",")
    if {"ste", "dim"} & set(words):
        words.append("def")
    return frozenset(_SHORT[word] for word in words)


TECHNIQUES: dict[str, frozenset[str]] = {
    technique: _tactics(line.split()[0])
    for line in _TABLE.strip().splitlines()
    for technique in line.split()[1:]
}


# Names that tags use, in the spelling of `TECHNIQUES`.
TACTIC_NAMES = frozenset(_SHORT.values())


def tactics_of(technique: str) -> frozenset[str]:
    """Return the tactics of a technique or sub-technique; empty when it is not in the table."""
    return TECHNIQUES.get(technique.partition(".")[0], frozenset())
