using OT.Numerics;

namespace OT.Results;

/// <summary>
/// One vector for each pair of a <see cref="Problems.SumOfNormsRegularizer"/>, of norm λ times the pair's weight at most. Any such vectors bound the optimum from below:
/// <c>min over plans of ⟨C + K_Rᵀ Z + K_Sᵀ W, P⟩</c>.
/// </summary>
/// <param name="Rows">Z, one row of m numbers for each pair of rows, in the order of <c>Rows.Pairs</c>.</param>
/// <param name="Columns">W, one row of n numbers for each pair of columns.</param>
public sealed record PairDuals(Matrix Rows, Matrix Columns);
