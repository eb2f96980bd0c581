using OT.Results;

namespace OT.Pairwise;

/// <summary>One entry of a matrix of distances.</summary>
/// <param name="Row">Index of the first measure.</param>
/// <param name="Column">Index of the second.</param>
/// <param name="Value">The number asked for; NaN where there is none (<see cref="SolverStatus.Infeasible"/>, <see cref="SolverStatus.NumericalFailure"/>). Where the solve did not converge, that of its last iterate.</param>
/// <param name="Status">How the solve ended.</param>
/// <param name="Error">The L1 marginal error of entropic and exact solves, the standard error of sliced ones, NaN where there is none.</param>
public readonly record struct PairwiseEntry(int Row, int Column, double Value, SolverStatus Status, double Error);
