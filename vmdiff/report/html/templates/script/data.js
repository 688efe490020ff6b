// What a page of snapshots or sets is about.

const L = D.leaves;
const MAIN = Math.max(0, D.columns.indexOf(D.main)); // the column that says how much memory it is
