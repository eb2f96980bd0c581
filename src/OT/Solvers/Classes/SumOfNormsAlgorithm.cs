namespace OT.Solvers.Classes;

/// <summary>How <see cref="SumOfNorms"/> iterates.</summary>
public enum SumOfNormsAlgorithm
{
    /// <summary>
    /// Primal-dual hybrid gradient with an exact projection onto plans, reflected, drawn to an anchor (Halpern) and restarted: the fastest, and the default. Memory: two dual vectors for each pair.
    /// </summary>
    PrimalDual,

    /// <summary>Accelerated projected gradient on the smoothed penalty, the smoothing made finer as it goes: O(nm) memory while it runs, slower to high accuracy.</summary>
    Accelerated,

    /// <summary>One pair at a time in random order, each step exact: dual coordinate ascent within proximal steps. O(m) per step, one thread; for small problems and comparison.</summary>
    Incremental,
}
