using OT.Geometries;

namespace OT.Applications.DomainAdaptation;

/// <summary>Cost 0 for pairs whose classes may be the same, <c>+∞</c> for pairs of different known classes: a term that forbids and adds nothing.</summary>
sealed class ClassMask(Domain source, Domain target) : Geometry
{
    public override int Rows => source.Count;

    public override int Columns => target.Count;

    public override double Cost(int row, int column) =>
        source.Labels[row] == Domain.Unknown
        || target.Labels[column] == Domain.Unknown
        || source.Labels[row] == target.Labels[column]
            ? 0
            : double.PositiveInfinity;

    /// <summary>Whether both sides know classes, without which no pair is forbidden.</summary>
    public static bool IsNeeded(Domain source, Domain target) => source.KnowsClasses && target.KnowsClasses;

    /// <summary>
    /// Mass that the classes keep from every plan: <c>Σ_c (b_c − a_c)⁺ − a_unknown</c> where positive, by Hall's condition, for which classes of the target only
    /// those matter that weigh more than in the source.
    /// </summary>
    public static (double Stranded, int Worst) Stranded(Domain source, Domain target)
    {
        Dictionary<int, double> a = Masses(source),
            b = Masses(target);
        (double needed, double most, int worst) = (-a.GetValueOrDefault(Domain.Unknown), 0, Domain.Unknown);
        foreach ((int label, double mass) in b)
        {
            double excess = mass - a.GetValueOrDefault(label);
            if (label == Domain.Unknown || excess <= 0)
                continue;
            needed += excess;
            if (excess > most)
                (most, worst) = (excess, label);
        }
        return (Math.Max(0, needed), worst);
    }

    static Dictionary<int, double> Masses(Domain domain)
    {
        var masses = new Dictionary<int, double>();
        for (int i = 0; i < domain.Count; i++)
            masses[domain.Labels[i]] = masses.GetValueOrDefault(domain.Labels[i]) + domain.Measure.Weights[i];
        return masses;
    }
}
