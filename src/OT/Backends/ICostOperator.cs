namespace OT.Backends;

/// <summary>A geometry resident on a back end: the only code that costs O(nm). One caller at a time.</summary>
public interface ICostOperator : IDisposable
{
    /// <summary>Number of sources, n.</summary>
    int Rows { get; }

    /// <summary>Number of targets, m.</summary>
    int Columns { get; }

    /// <summary>What runs, such as <c>managed-avx512 point cloud, Float64</c>.</summary>
    string Description { get; }

    /// <summary>Whether the token given to <see cref="IBackend.Bind"/> has stopped a call, leaving its output incomplete.</summary>
    bool Interrupted { get; }

    /// <summary><c>f_i = −ε log Σ_j exp(logB_j + (g_j − C_ij)/ε)</c>; with ε = 0 the hard minimum <c>min_j (C_ij − g_j)</c> over finite logB.</summary>
    void SoftMinRows(ReadOnlySpan<double> g, ReadOnlySpan<double> logB, double epsilon, Span<double> f);

    /// <summary><c>g_j = −ε log Σ_i exp(logA_i + (f_i − C_ij)/ε)</c>; with ε = 0 the hard minimum <c>min_i (C_ij − f_i)</c> over finite logA.</summary>
    void SoftMinColumns(ReadOnlySpan<double> f, ReadOnlySpan<double> logA, double epsilon, Span<double> g);

    /// <summary>
    /// <c>P V</c> or <c>Pᵀ V</c> for k vectors stored one after the other: k·m values in and k·n out, or k·n in and k·m out when transposed.
    /// </summary>
    void ApplyPlan(in GibbsPlan plan, ReadOnlySpan<double> vectors, Span<double> result, bool transpose = false);

    /// <summary><c>⟨C, P⟩</c>, with the marginals P1 and Pᵀ1 that the same pass gives.</summary>
    double TransportCost(in GibbsPlan plan, Span<double> rowSums, Span<double> columnSums);

    /// <summary>Rows <paramref name="start"/> … of C, count × m values.</summary>
    void CostRows(int start, int count, Span<double> block);

    /// <summary>
    /// Up to <paramref name="count"/> times: f from g by <see cref="SoftMinRows"/>, then g from f by <see cref="SoftMinColumns"/>, each damped by τ, relaxed by ω and
    /// kept between its bounds; stops early once the error is at most <c>step.Tolerance</c>.
    /// </summary>
    /// <param name="count">Iterations at most.</param>
    /// <param name="step">What stays fixed meanwhile.</param>
    /// <param name="f">In: the previous source potential, a guess that speeds up the first iteration. Out: the last one.</param>
    /// <param name="g">In: the target potential to start from. Out: the last one.</param>
    /// <param name="error">
    /// L1 error <c>|P1 − a e^(−f/ρ_a)|₁ + |Pᵀ1 − b e^(−g/ρ_b)|₁</c> of the last f with the g it was made from; where a potential is at its bound, only mass above
    /// the weight counts (below it, at −bound). NaN when the call was interrupted or a value
    /// was not finite; f and g then hold the last finite iterate.
    /// </param>
    /// <returns>Iterations made.</returns>
    int Iterate(int count, SinkhornStep step, Span<double> f, Span<double> g, out double error);

    /// <summary>Mass of the plan whose error the last <see cref="Iterate"/> gave.</summary>
    double PlanMass { get; }
}
